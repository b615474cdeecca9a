import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { expectFlawless, pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;
let v2: TinyWebImage;
let v2Bundle: string;

const smoke = [{ path: "/smoke", status: [200, 299] }];

beforeAll(async () => {
  lab = await startDeployLab("release");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  const settings = { env: { GREETING: "welcome" }, smoke, health: { path: "/health", timeoutSeconds: 20 } };
  ({ project, app } = await lab.addProject({ name: "shop", compose: webAlone, settings }));
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** Expects this one release and nothing else of the app, as soon as what drains is gone. */
async function expectOnly(number: number, deployments: readonly string[]): Promise<void> {
  const expected = {
    containers: [`shop-${number}-web-1 running`],
    networks: [`shop-${number}`],
    edgeServers: [`shop_web_8080/d${number}-web-1`],
    deployments,
  };
  await until(`only #${number} is left`, async () => {
    expect(await app.inShort()).toMatchObject(expected);
    return true;
  });
}

test("a first deploy serves, and pins what it deployed", async () => {
  const bundle = await project.bundle(v1);
  expect(bundle).toMatch(/^10\.77\.0\.1:5000\/[\w-]+\/shop-bundle@sha256:[0-9a-f]{64}$/);
  expect(await project.plan("--bundle", bundle)).toMatchObject({ changes: true });
  expect((await app.inShort()).containers).toEqual([]);

  const { changed, apps, pin } = await project.apply("--bundle", bundle);
  expect({ changed, apps, pin }).toMatchObject({
    changed: true,
    apps: { shop: { number: 1, version: "v1", services: { web: { state: "running", healthy: true } } } },
    pin: { bundle, isChanged: true },
  });
  expect(await project.setting("bundle")).toBe(bundle);
  expect(await app.get()).toMatchObject({
    status: 200,
    version: "v1",
    body: expect.stringContaining("welcome from") as unknown,
  });
});

test("nothing changed, nothing restarted, exit code 0", async () => {
  const before = await app.container("web");
  expect(await project.plan()).toMatchObject({ changes: false });
  const { changed, apps, plan } = await project.apply();
  expect({ changed, number: apps["shop"]?.number }).toEqual({ changed: false, number: 1 });
  expect(plan.map(({ operation }) => operation)).toEqual(["same", "same", "same"]);
  expect(await app.container("web")).toEqual(before);
  await expectOnly(1, ["#1 current"]);
});

test("a second deploy under load loses no request, with another environment", async () => {
  v2Bundle = await project.bundle(v2);
  await using load = await app.startLoad();
  await project.configure(["env", "GREETING"], "good evening");
  const deployAtMs = await load.mark("deploy");
  const { apps } = await project.apply("--bundle", v2Bundle);
  const deployedAtMs = await load.mark("deployed");
  await until("the load has seen v2", async () => (await app.versions()).join() === "v2");
  expectFlawless(
    await load.stop([
      { version: "v1", toMs: deployedAtMs },
      { version: "v2", fromMs: deployAtMs },
    ]),
  );
  expect(apps).toMatchObject({ shop: { number: 2, version: "v2" } });
  expect(await app.variable("GREETING")).toBe("good evening");
  await expectOnly(2, ["#1 good", "#2 current"]);
});

describe("a bad release never serves, and the one before it serves on", () => {
  const bad = [
    {
      why: "it crashes at its start",
      version: "crash",
      switches: { CRASH_AT_START_CODE: "3" },
      code: "RELEASE_CRASHED",
      says: [/exit code 3\b/, /crashing at start on purpose/],
    },
    {
      why: "it is never healthy",
      version: "sick",
      switches: { NEVER_HEALTHY: "1" },
      code: "RELEASE_UNHEALTHY",
      says: [/\/health/, /503/, /not healthy/],
    },
    {
      why: "it fails its smoke check",
      version: "smoke",
      switches: { FAIL_SMOKE: "1" },
      code: "RELEASE_SMOKE_FAILED",
      says: [/\/smoke/, /500/, /before the switch/],
    },
  ];

  test.each(bad)("$why", async ({ version, switches, code, says }) => {
    const bundle = await project.bundle(await pushTinyWeb(version, switches));
    await project.configure(["health", "timeoutSeconds"], 3);
    const before = await app.container("web");
    const settings = await project.stackText();
    const earlier = await app.deployments();
    await using load = await app.startLoad();

    const failure = await project.applyBadly("--bundle", bundle);
    expect(failure).toMatchObject({ exitCode: 10, code });
    const told = JSON.stringify([failure.message, failure.details]);
    for (const what of says) expect(told).toMatch(what);
    expectFlawless(await load.stop([{ version: "v2" }]));
    expect(await app.container("web")).toEqual(before);
    expect(await project.stackText()).toBe(settings);
    await expectOnly(2, [...earlier, `#${earlier.length + 1} failed`]);
  });

  test("and afterwards nothing is left to be done", async () => {
    await project.configure(["health", "timeoutSeconds"], 20);
    const before = await app.container("web");
    await project.apply();
    expect(await project.plan()).toMatchObject({ changes: false });
    expect(await app.container("web")).toEqual(before);
  });
});

test("a rollback under load restores the environment and the stack's configuration", async () => {
  await using load = await app.startLoad();
  const startAtMs = await load.mark("rollback");
  const { apps, target, restored } = await project.rollBack();
  const doneAtMs = await load.mark("rolled back");
  expectFlawless(
    await load.stop([
      { version: "v2", toMs: doneAtMs },
      { version: "v1", fromMs: startAtMs },
    ]),
  );
  expect(target.number).toBe(1);
  expect(apps["shop"]?.version).toBe("v1");
  expect(restored.sort()).toEqual(["bundle", "env.GREETING"]);
  expect(await app.versions()).toEqual(["v1"]);
  expect(await app.variable("GREETING")).toBe("welcome");
  expect(await project.setting("env")).toEqual({ GREETING: "welcome" });
  expect(await project.setting("bundle")).not.toBe(v2Bundle);

  const before = await app.container("web");
  expect(await project.plan()).toMatchObject({ changes: false });
  expect(await project.applyAgain()).toEqual([]);
  expect(await app.container("web")).toEqual(before);
});

describe("what was changed behind its back", () => {
  test("a removed container is in the plan, and put up again", async () => {
    const { name, id } = await app.container("web");
    await lab.host.vps.exec(`docker rm --force ${name}`);
    expect(await app.versions(2)).toEqual(["none (status 503)"]);

    const { changes, entries } = await project.plan();
    const release = entries.find(({ part }) => part === "release");
    expect(changes).toBe(true);
    expect(release?.operation).toBe("update");
    expect(release?.drift.join("\n")).toMatch(/web/);

    expect(await project.apply()).toMatchObject({ changed: true, apps: { shop: { version: "v1" } } });
    expect(await app.versions()).toEqual(["v1"]);
    expect((await app.container("web")).id).not.toBe(id);
    expect(await app.variable("GREETING")).toBe("welcome");
    expect(await project.plan()).toMatchObject({ changes: false });
  });

  test("a stopped container too", async () => {
    const { name } = await app.container("web");
    await lab.host.vps.exec(`docker stop --time 1 ${name}`);
    const { entries } = await project.plan();
    expect(entries.find(({ part }) => part === "release")?.drift.join("\n")).toMatch(/web/);
    await project.apply();
    expect(await app.versions()).toEqual(["v1"]);
    expect(await project.plan()).toMatchObject({ changes: false });
  });
});

test("another environment alone is a deployment of its own, and is rolled back like one", async () => {
  const versions = await app.versions();
  const bundle = await project.setting("bundle");
  await project.configure(["env", "GREETING"], "changed");
  const changed = await project.apply();
  expect(changed.plan.map(({ operation }) => operation).sort()).toEqual(["same", "same", "update"]);
  expect(await app.variable("GREETING")).toBe("changed");

  const { apps, restored } = await project.rollBack();
  expect(restored).toEqual(["env.GREETING"]);
  expect(apps["shop"]?.number).toBe((changed.apps["shop"]?.number ?? 0) + 1);
  expect(await app.variable("GREETING")).toBe("welcome");
  expect(await app.versions()).toEqual(versions);
  expect([await project.setting("env"), await project.setting("bundle")]).toEqual([{ GREETING: "welcome" }, bundle]);
  expect(await project.plan()).toMatchObject({ changes: false });
});

test("a deploy by the digest of a plan does what was approved, or nothing", async () => {
  await project.configure(["env", "GREETING"], "approved");
  const { digest } = await project.plan();
  expect((await project.plan()).digest).toBe(digest);
  const before = await app.container("web");
  await project.configure(["env", "GREETING"], "slipped in");
  expect(await project.applyBadly("--plan", digest)).toMatchObject({
    ...{ code: "PLAN_CHANGED", exitCode: 4 },
    details: { approved: digest },
  });
  expect(await app.container("web")).toEqual(before);

  await project.configure(["env", "GREETING"], "approved");
  await lab.host.vps.exec(`docker stop --time 1 ${before.name}`);
  expect(await project.applyBadly("--plan", digest)).toMatchObject({ code: "PLAN_CHANGED" });
  await lab.host.vps.exec(`docker start ${before.name}`);
  expect(await project.apply("--plan", digest)).toMatchObject({ changed: true });
  expect(await app.variable("GREETING")).toBe("approved");
});
