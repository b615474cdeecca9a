import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FakeEngine, frame } from "../../../test/doubles/host/engine.ts";
import { Containers } from "./containers.ts";
import { EngineApi } from "./engine-api.ts";
import { Networks, ownLabels } from "./networks.ts";
import { Volumes, volumeName } from "./volumes.ts";

let folder: string;
let engine: FakeEngine;
let api: EngineApi;
let containers: Containers;
let networks: Networks;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "ikoma-engine-"));
  engine = new FakeEngine(join(folder, "engine.sock"));
  for (const image of ["web", "x"]) engine.images.set(image, {});
  await engine.start();
  api = new EngineApi(engine.socketPath);
  containers = new Containers(api);
  networks = new Networks(api);
});

afterEach(async () => {
  await engine.stop();
  rmSync(folder, { recursive: true });
});

describe("containers", () => {
  test("are found by their labels, stopped ones too", async () => {
    const mine = await engine.createContainer({ name: "mine", image: "web", labels: ownLabels("shop", "release", 7) });
    await engine.createContainer({ name: "other", image: "web", labels: ownLabels("shop", "release", 8) });
    await engine.crash(mine.Id, 1);
    const found = await containers.list(ownLabels("shop", "release", 7));
    expect(found.map((each) => [each.Name, each.State.ExitCode])).toEqual([["/mine", 1]]);
    expect(await containers.list(ownLabels("shop", "release"))).toHaveLength(2);
  });

  test("can be stopped and removed twice, and started twice", async () => {
    const { Id } = await engine.createContainer({ name: "web", image: "web" });
    await containers.start(Id);
    await containers.stopAndRemove(Id);
    await containers.stopAndRemove(Id);
    expect(await containers.inspect("web")).toBeUndefined();
    await expect(containers.start(Id)).rejects.toMatchObject({ status: 404 });
  });

  test("run a command and give its code and output", async () => {
    engine.images.set("db", { exec: (command) => ({ code: command[0] === "good" ? 0 : 3, output: " said é\n" }) });
    const { Id } = await engine.createContainer({ name: "db", image: "db" });
    const { signal } = new AbortController();
    expect(await containers.exec(Id, ["good"], signal)).toEqual({ code: 0, output: "said é" });
    expect(await containers.exec(Id, ["bad"], signal)).toMatchObject({ code: 3 });
    await engine.crash(Id, 1);
    await expect(containers.exec(Id, ["good"], signal)).rejects.toMatchObject({ status: 409 });
  });
});

describe("the last lines of a log", () => {
  async function linesOf(bytes: Buffer, count = 10): Promise<string[]> {
    const path = join(folder, "log.sock");
    const server = createServer((_request, response) => response.end(bytes));
    server.listen(path);
    await once(server, "listening");
    try {
      return await new Containers(new EngineApi(path)).lastLines("web", count);
    } finally {
      server.close();
    }
  }

  test("come from both streams in their order, without the engine's framing", async () => {
    const bytes = Buffer.concat([frame(1, "one\n"), frame(2, "two\r\n"), frame(1, "\n"), frame(1, "three")]);
    expect(await linesOf(bytes)).toEqual(["one", "two", "three"]);
    expect(await linesOf(bytes, 2)).toEqual(["two", "three"]);
  });

  test("are whole where a frame ends in the middle of a line, or of a character", async () => {
    const line = Buffer.from("password=é!\n");
    const at = line.indexOf(0xa9);
    const halves = [line.subarray(0, at), line.subarray(at)].map((bytes) => {
      const header = frame(1, "x".repeat(bytes.length)).subarray(0, 8);
      return Buffer.concat([header, bytes]);
    });
    expect(await linesOf(Buffer.concat(halves))).toEqual(["password=é!"]);
  });

  test("of a container with a terminal have no framing", async () => {
    expect(await linesOf(Buffer.from("first line\r\nsecond line\r\n"))).toEqual(["first line", "second line"]);
  });

  test("can be none, or end in half a frame", async () => {
    expect(await linesOf(Buffer.alloc(0))).toEqual([]);
    expect(await linesOf(frame(1, "cut off here").subarray(0, 15))).toEqual(["cut off"]);
  });
});

describe("networks", () => {
  test("are made once, with the subnet that was chosen", async () => {
    await networks.create("shop-1", "10.9.0.0/26", ownLabels("shop", "release", 1));
    await networks.create("shop-1", "10.9.0.64/26", {});
    expect(await networks.subnetsInUse()).toEqual(["10.9.0.0/26"]);
    expect((await networks.list(ownLabels("shop", "release"))).map((each) => each.Name)).toEqual(["shop-1"]);
  });

  test("take a container once, and refuse an address that is in use", async () => {
    await networks.create("net", "10.9.0.0/26", {});
    const [a, b] = [
      await engine.createContainer({ name: "a", image: "x" }),
      await engine.createContainer({ name: "b", image: "x" }),
    ];
    await networks.connect("net", a.Id, ["db"], "10.9.0.61");
    await networks.connect("net", a.Id, ["db"], "10.9.0.61");
    await expect(networks.connect("net", b.Id, ["cache"], "10.9.0.61")).rejects.toThrow("Address already in use");
  });

  test("let go of every container when they are removed, stopped ones too", async () => {
    await networks.create("net", "10.9.0.0/26", {});
    const [a, b] = [
      await engine.createContainer({ name: "a", image: "x" }),
      await engine.createContainer({ name: "b", image: "x" }),
    ];
    await networks.connect("net", a.Id, [], "10.9.0.61");
    await networks.connect("net", b.Id, [], "10.9.0.60");
    await engine.crash(b.Id, 1);
    await networks.remove("net");
    await networks.remove("net");
    expect(engine.networks.size).toBe(0);
    await containers.start(b.Id);
    expect(engine.named("b")?.State.Running).toBe(true);
  });
});

describe("volumes", () => {
  test("are made where they are missing, and adopted where they are not", async () => {
    const volumes = new Volumes(api);
    expect(await volumes.exists("shop_data")).toBe(false);
    await volumes.ensure("shop_data", "shop");
    await volumes.ensure("shop_data", "shop");
    expect(await volumes.exists("shop_data")).toBe(true);
  });

  test.each([
    [{ external: false }, "shop_data"],
    [{ external: true }, "data"],
    [{ external: true, name: "legacy" }, "legacy"],
    [{ external: false, name: "legacy" }, "legacy"],
  ])("have a name that no release changes: %j", (spec, expected) => {
    expect(volumeName("shop", "data", spec)).toBe(expected);
  });
});
