import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { Crashes } from "../../../../test/doubles/host/crash.ts";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, aRequest, digestOf, imageOf, run, someAccessories } from "../../../../test/doubles/host/inputs.ts";
import type { Program } from "../../../../test/doubles/host/engine.ts";
import { readPart } from "../../reading/read-parts.ts";
import { OperationRunner } from "../operation-runner.ts";

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
  await run(runner, "accessories.apply", someAccessories(on, { db: "db" }));
});

afterEach(async () => {
  await on.dispose();
});

/** A program in the image of the bundle with this digit. */
function command(digit: string, program: Program, timeoutSeconds = 5) {
  on.engine.images.set(imageOf(digit), program);
  const definition = { kind: "web" as const, image: imageOf(digit), environment: { TOKEN: "hunter22" }, ports: [] };
  const what = { app: "shop", bundle: digestOf(digit), service: "web", command: ["prisma", "migrate", "deploy"] };
  return { spec: { ...what, timeoutSeconds, definition, volumes: {} }, redact: ["hunter22"] };
}

const well: Program = { exitCode: 0, lines: ["2 migrations applied"] };
const migrating = (): string[] =>
  [...on.engine.containers.values()].map(({ Name }) => Name).filter((name) => name.includes("migration"));

test("it is run once for each bundle, where the accessories are, and leaves no container; one gone back to is not run", async () => {
  const request = aRequest("migration.command", command("1", well));
  let network: string[] = [];
  runner.start(request);
  const ended = await runner.attach(request.key, 0, ({ type }) => {
    const container = on.engine.named("shop-migration-web-1");
    if (type === "log") network = Object.keys(container?.NetworkSettings.Networks ?? {});
  });
  expect(ended).toMatchObject({ state: "succeeded", result: { ran: true } });
  expect(network).toEqual(["shop-accessories"]);
  expect(on.host.journal.events(request.key, 0).map(({ message }) => message)).toContain("2 migrations applied");
  expect(migrating()).toEqual([]);
  expect(await run(runner, "migration.command", command("1", well))).toMatchObject({ result: { ran: false } });
  expect(await run(runner, "migration.command", command("2", well))).toMatchObject({ result: { ran: true } });
  expect(await run(runner, "migration.command", command("1", { exitCode: 1 }))).toMatchObject({
    result: { ran: false },
  });
});

test("one that fails says so without secrets, and is run again by the next deploy", async () => {
  const bad = { exitCode: 3, lines: ["connecting with hunter22", "P3009: failed migrations"] };
  expect(await run(runner, "migration.command", command("1", bad))).toMatchObject({
    state: "failed",
    error: {
      code: "MIGRATION_FAILED",
      message: "`prisma migrate deploy` ended with exit code 3; its last line: P3009: failed migrations",
      details: { exitCode: 3, log: ["connecting with [secret]", "P3009: failed migrations"] },
    },
  });
  expect(migrating()).toEqual([]);
  expect(await run(runner, "migration.command", command("1", well))).toMatchObject({ result: { ran: true } });
});

test("what the host does not know to have been run is drift", async () => {
  const { spec } = command("1", well);
  const { app, bundle, service, command: words } = spec;
  const expected = { app, bundle, service, command: words };
  await run(runner, "migration.command", { spec, redact: [] });
  expect(await readPart(on.host, "shop", "migration", expected)).toMatchObject({ exists: true, drift: [] });
  const other = { ...expected, bundle: digestOf("2") };
  expect(await readPart(on.host, "shop", "migration", other)).toMatchObject({ drift: [{ path: "command" }] });
});

test("one that a crash of the agent cut off is removed when it comes back", async () => {
  const crashes = new Crashes(on);
  await crashes.when("it runs", command("1", {}, 600), () => migrating().length === 1, "migration.command");
  await crashes.restart();
  expect(migrating()).toEqual([]);
  runner = new OperationRunner(on.host);
  expect(await run(runner, "migration.command", command("1", well))).toMatchObject({ result: { ran: true } });
});

test("an app without accessories gets a network for the run alone", async () => {
  await run(runner, "accessories.remove", { app: "shop" });
  const request = aRequest("migration.command", command("1", well));
  let networks: string[] = [];
  runner.start(request);
  const ended = await runner.attach(request.key, 0, ({ type }) => {
    const container = on.engine.named("shop-migration-web-1");
    if (type === "log") networks = Object.keys(container?.NetworkSettings.Networks ?? {});
  });
  expect(ended).toMatchObject({ state: "succeeded", result: { ran: true } });
  expect(networks).toEqual(["shop-migration"]);
  expect(await on.host.networks.subnetOf("shop-migration")).toBeUndefined();
  expect(on.host.subnets.owners()).not.toContain("shop-migration");
});

test("what is known of the database goes with the app's last release, not before", async () => {
  await run(runner, "migration.command", command("1", well));
  await run(runner, "release.apply", aRelease(on, "v1"));
  await run(runner, "migration.remove", { app: "shop" });
  expect(await run(runner, "migration.command", command("1", well))).toMatchObject({ result: { ran: false } });
  await run(runner, "release.remove", { app: "shop" });
  await run(runner, "migration.remove", { app: "shop" });
  expect(on.host.parts.has("shop", "migration")).toBe(false);
});
