import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { EdgeReplacement } from "./edge-replacement.ts";

let on: TestHost;
let edges: EdgeReplacement;

beforeEach(async () => {
  on = await TestHost.create();
  for (const image of ["edge", "old-edge"]) on.engine.images.set(image, {});
  edges = new EdgeReplacement(on.host);
  await on.engine.createContainer({ name: "ikoma-edge", image: "edge", restart: "always" });
});

afterEach(async () => {
  await on.dispose();
});

const running = (): string[] =>
  [...on.engine.containers.values()].filter(({ State }) => State.Running).map(({ Name }) => Name);
const started = (): boolean => on.engine.calls.includes("POST /containers/ikoma-edge/start");

test("an old edge whose end a crash cut off ends at the next start, and the new one serves on", async () => {
  await on.engine.createContainer({ name: "ikoma-edge-before", image: "old-edge", restart: "always" });
  await edges.endLeftOver(on.host);
  expect(running()).toEqual(["/ikoma-edge"]);
  expect(started()).toBe(false);
});

test("where the old one had the sockets, the new one makes its own", async () => {
  await on.engine.createContainer({ name: "ikoma-edge-before", image: "old-edge", restart: "always" });
  on.edge.version = () => Promise.resolve(started() ? "2.6.12" : undefined);
  await edges.endLeftOver(on.host);
  expect(running()).toEqual(["/ikoma-edge"]);
});

test("nothing is done where there is none", async () => {
  await edges.endLeftOver(on.host);
  expect(on.engine.calls.filter((each) => !each.startsWith("GET"))).toEqual([]);
  expect(running()).toEqual(["/ikoma-edge"]);
});

test("a new edge that goes again hands what it has just accepted to the old one", async () => {
  await on.engine.createContainer({ name: "ikoma-edge-before", image: "old-edge", restart: "always" });
  const relay = join(on.host.paths.edge, "relay.sock");
  await writeFile(relay, "the new one's");
  await writeFile(`${relay}.before`, "the old one's");
  const stop = on.host.containers.stop.bind(on.host.containers);
  const relayed: string[] = [];
  on.host.containers.stop = async (name, seconds) => {
    relayed.push(`${name} to ${await readFile(relay, "utf8")}`);
    await stop(name, seconds);
  };
  await edges.undo();
  expect(relayed).toEqual(["ikoma-edge to the old one's"]);
  expect(running()).toEqual(["/ikoma-edge"]);
});
