import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, imageOf, run } from "../../../../test/doubles/host/inputs.ts";
import { keptSecretMarker } from "../../../core/release/kept-secrets.ts";
import type { PartView } from "../../protocol/methods.ts";
import type { OperationView } from "../../protocol/operations.ts";
import { readPart } from "../../reading/read-parts.ts";
import { readSecrets } from "../../reading/read-secrets.ts";
import { OperationRunner } from "../operation-runner.ts";

const old = "hunter-of-old-times";
const renewed = "gatherer-of-today";

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
});

afterEach(async () => {
  await on.dispose();
});

function withPassword(name: string, password: string) {
  const environment = { URL: `postgres://shop:${password}@db`, VERSION: name };
  return { services: { web: { kind: "web", image: imageOf(name), environment } } };
}

/** A deploy as an ordinary one is: the value in its place, and by name. */
function deploy(name: string, password: string, more: object = {}): Promise<OperationView> {
  const release = { ...withPassword(name, password), secrets: { PASSWORD: password }, redact: [password] };
  return run(runner, "release.apply", aRelease(on, name, { ...release, ...more }));
}

/** A rollback with secrets: of the value nothing but the marker comes to the host. */
function goBack(name: string, secretsOf: number, more: object = {}): Promise<OperationView> {
  const release = withPassword(name, keptSecretMarker("PASSWORD"));
  return run(runner, "release.apply", aRelease(on, name, { ...release, secretsOf, ...more }));
}

function readBack(name: string, secretsOf: number): Promise<PartView> {
  const { spec } = aRelease(on, name, withPassword(name, keptSecretMarker("PASSWORD")));
  return readPart(on.host, "shop", "release", { ...spec, secretsOf });
}

function environmentOf(container: string): string[] {
  return on.engine.named(container)?.Config.Env ?? [];
}

/** All that the agent has on disk. */
async function onDisk(): Promise<string> {
  const entries = await readdir(on.root, { recursive: true, withFileTypes: true });
  const files = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  return (await Promise.all(files.map((each) => readFile(each, "latin1")))).join("\n");
}

test("the value that the deployment had comes back, and the release is what it was to the digit", async () => {
  const first = await deploy("v1", old);
  await deploy("v2", renewed);
  const ended = await goBack("v1", 1, { rollbackTo: 1 });
  const { digest } = first.result as { digest: string };
  expect(ended).toMatchObject({ state: "succeeded", result: { number: 3, digest } });
  expect(environmentOf("shop-3-web-1")).toContain(`URL=postgres://shop:${old}@db`);
  expect(await readBack("v1", 1)).toMatchObject({ exists: true, number: 3, drift: [] });
});

test("names are told, with what differs from what serves; values are sealed on disk and in no log", async () => {
  await deploy("v1", old);
  await deploy("v2", renewed);
  expect(readSecrets(on.host, "shop", 1)).toEqual([{ name: "PASSWORD", isCurrent: false }]);
  expect(readSecrets(on.host, "shop", 2)).toEqual([{ name: "PASSWORD", isCurrent: true }]);
  await goBack("v1", 1);
  expect(readSecrets(on.host, "shop", 1)).toEqual([{ name: "PASSWORD", isCurrent: true }]);
  const disk = await onDisk();
  expect(disk.length).toBeGreaterThan(10_000);
  for (const value of [old, renewed]) {
    expect(disk).not.toContain(value);
    expect(on.logged.join("\n")).not.toContain(value);
  }
});

test("they are kept as long as a deployment that was made with them is", async () => {
  await deploy("v1", old);
  await deploy("v2", renewed);
  await goBack("v1", 1);
  on.host.deployments.giveUp("shop", 1);
  expect(on.host.deployments.input("shop", 1)).toBeUndefined();
  expect(await readBack("v1", 1)).toMatchObject({ drift: [] });
  expect(await goBack("v3", 1)).toMatchObject({ state: "succeeded" });
  expect(environmentOf("shop-4-web-1")).toContain(`URL=postgres://shop:${old}@db`);
});

test("what is not kept is refused before anything is started, and a read says so", async () => {
  await deploy("v2", renewed);
  const ended = await goBack("v1", 7);
  expect(ended).toMatchObject({
    state: "failed",
    error: {
      code: "NO_ROLLBACK_TARGET",
      message: expect.stringContaining("PASSWORD that #7 of shop had"),
      hint: expect.stringContaining("secretsOf"),
    },
  });
  expect([...on.engine.containers.values()].map((each) => each.Name)).toEqual(["/shop-1-web-1"]);
  expect((await readBack("v2", 7)).drift).toMatchObject([{ path: "secretsOf" }]);
});

test("a release that prints the value which came back does not bring it into the error", async () => {
  await deploy("v1", old);
  const said = [`password=${old}`, `basic ${Buffer.from(`shop:${old}`).toString("base64")}`];
  const ended = await goBack("v2", 1, { program: { exitCode: 3, lines: said } });
  expect(ended.state).toBe("failed");
  const told = JSON.stringify([ended, on.host.journal.events(ended.key, 0)]);
  expect(told).toContain("password=[secret]");
  expect(told).not.toContain(old);
  expect(told).not.toContain(Buffer.from(old.slice(0, 15)).toString("base64"));
});

test("a drift is told without it", async () => {
  await deploy("v1", old);
  await goBack("v1", 1);
  Object.assign(on.engine.named("shop-1-web-1")?.Config ?? {}, { Env: ["URL=other"] });
  const { drift } = await readBack("v1", 1);
  expect(drift.map(({ path }) => path)).toEqual(["services.web.environment.URL", "services.web.environment.VERSION"]);
  expect(JSON.stringify(drift)).not.toContain(old);
});
