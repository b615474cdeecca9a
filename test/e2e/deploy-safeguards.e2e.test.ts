import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { expectFlawless, pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { startDeployLab, webAfterMigration, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

/** The release before it serves again so long after the verdict, at most. */
const switchBackMs = 200;

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;
let v2: TinyWebImage;
let bundles: Record<"v1" | "v2" | "worn", string>;

const password = "pa$$w0rd-for-the-stock";

beforeAll(async () => {
  lab = await startDeployLab("safeguards");
  const settings = { health: { path: "/health", timeoutSeconds: 20 }, keep: 9 };
  ({ project, app } = await lab.addProject({ name: "shop", compose: webAlone, settings }));
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  const worn = await pushTinyWeb("worn", { FAIL_AFTER_REQUESTS: "60" });
  bundles = { v1: await project.bundle(v1), v2: await project.bundle(v2), worn: await project.bundle(worn) };
  await project.apply("--bundle", bundles.v1);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** Number, version and status of each deployment, as `deploy history` shows them. */
async function statuses(): Promise<string[]> {
  const { stdout } = await project.ikoma("deploy", "history");
  const rows = stdout.split("\n").filter((line) => /^ *\d/.test(line));
  return rows.map((line) => line.trim().split(/ {2,}/).slice(0, 3).join(" "));
}

describe("a release that goes bad with its visitors", () => {
  test("is switched back from by itself, and only its own answers failed", async () => {
    await project.configure(["bake"], { seconds: 30 });
    const before = await app.container("web");
    await using load = await app.startLoad(100);
    const startedAtMs = await load.mark("deploy");
    const ended = await project.startApply("--bundle", bundles.worn).ended;
    const endedAtMs = await load.mark("taken back");
    const seen = (await app.get()).version;
    expect(ended.code).toBe(10);
    expect(JSON.parse(ended.stdout)).toMatchObject({
      error: { code: "RELEASE_BAKE_FAILED", message: expect.stringMatching(/\d+ of \d+ requests failed/) as unknown },
    });

    const tookMs = Number(/serves again, (\d+) ms after the verdict/.exec(ended.stderr)?.[1]);
    expect(tookMs).toBeLessThanOrEqual(switchBackMs);
    expect(ended.stderr).toMatch(/bake[^\n]*\d+ of 30 s: \d+ requests, \d+ failed/);
    expect(seen).toBe("v1");
    expect(await app.container("web")).toEqual(before);
    const report = await load.stop([{ version: "v1" }, { version: "worn", fromMs: startedAtMs, toMs: endedAtMs }]);
    for (const { failures, unexpected, versions, windows, startedAtMs: zeroMs } of report.streams) {
      // 500 is the app's own answer; the edge itself would say 502, 503 or 504.
      expect(Object.keys(failures)).toEqual(["status-500"]);
      expect(unexpected?.examples).toEqual([]);
      const worn = versions.find((each) => each.version === "worn");
      const after = windows.filter(({ atMs }) => zeroMs + atMs > (worn?.lastAnswerAtMs ?? Infinity));
      expect(after.length).toBeGreaterThan(0);
      expect(after.filter(({ failed }) => failed > 0)).toEqual([]);
    }
    process.stdout.write(`measured: the release before serves again ${tookMs} ms after the verdict\n`);
    await until("only #1 is left", async () => (await app.containers()).length === 1);
    expect(await app.inShort()).toMatchObject({ deployments: ["#1 current", "#2 failed"] });
  });

  test("is refused to a run that tries again, which changes nothing", async () => {
    const failure = await project.applyBadly("--bundle", bundles.worn);
    expect(failure).toMatchObject({ code: "RELEASE_WITHDRAWN", exitCode: 4, details: { number: 2 } });
    expect(failure.message).toMatch(/^worn was deployed as #2 of shop and withdrawn at .*requests failed/);
    expect(failure.hint).toContain("ikoma deploy apply --redeploy");
    expect(await statuses()).toEqual(["2 worn failed, withdrawn", "1 v1 current"]);
  });
});

describe("a release that was rolled back from", () => {
  test("is refused to CI, by the command and by plain Pulumi, with the reason", async () => {
    await project.configure(["bake"], { seconds: 0 });
    await project.apply("--bundle", bundles.v2);
    await project.rollBack();
    // Git still has the pin: the next run of CI checks it out again.
    await project.configure(["bundle"], bundles.v2);
    const before = await app.container("web");
    const failure = await project.applyBadly();
    expect(failure).toMatchObject({ code: "RELEASE_WITHDRAWN", exitCode: 4, details: { number: 3 } });
    expect(failure.message).toContain("#4 went back to #1");
    const plain = await project.pulumiBadly("up", "--yes");
    expect(plain).toContain("RELEASE_WITHDRAWN");
    expect(plain).toContain("#4 went back to #1");
    expect(await app.container("web")).toEqual(before);
    expect(await statuses()).toEqual(["4 v1 current", "3 v2 good, withdrawn", "2 worn failed, withdrawn", "1 v1 good"]);
  });

  test("--redeploy brings it back, and it is on the list no more", async () => {
    await using load = await app.startLoad();
    expect(await project.apply("--redeploy")).toMatchObject({ apps: { shop: { version: "v2", number: 5 } } });
    expectFlawless(await load.stop());
    expect(await project.applyAgain()).toEqual([]);
    expect((await statuses()).slice(0, 3)).toEqual(["5 v2 current", "4 v1 good", "3 v2 good"]);
  });
});

describe("a job that the web waits for", () => {
  let stock: Awaited<ReturnType<DeployLab["addProject"]>>;

  beforeAll(async () => {
    stock = await lab.addProject({ name: "stock", compose: webAfterMigration, settings: { drainSeconds: 1 } });
    await stock.project.setSecret("POSTGRES_PASSWORD", password);
  });

  async function rowsAdded(): Promise<number> {
    const { name } = await stock.app.container("db");
    const select = `docker exec -i ${name} psql -U stock -d stock -Atqc 'select count(*) from migrations'`;
    const { code, stdout, stderr } = await lab.host.vps.exec(select);
    if (code !== 0) throw new Error(stderr);
    return Number(stdout);
  }

  test("runs once for each deployment, with the database in reach, and not where nothing changed", async () => {
    await stock.project.apply("--bundle", await stock.project.bundle(v1));
    expect(await rowsAdded()).toBe(1);
    expect(await stock.project.applyAgain()).toEqual([]);
    expect(await rowsAdded()).toBe(1);
    expect((await stock.app.containers()).map(({ name }) => name).sort()).toEqual([
      "stock-1-web-1",
      "stock-accessories-db-1",
    ]);
    const next = await stock.project.bundle(v2);
    await using load = await stock.app.startLoad();
    const ended = await stock.project.startApply("--bundle", next).ended;
    expectFlawless(await load.stop());
    expect(ended.code).toBe(0);
    expect(ended.stderr).toContain("migrate | INSERT 0 1");
    expect(await rowsAdded()).toBe(2);
  });

  test("stops the deploy when it fails, with its last words and without the password", async () => {
    await stock.project.configure(["env"], { MIGRATION: "insert into nowhere values (1)" });
    await using load = await stock.app.startLoad();
    const failure = await stock.project.applyBadly();
    expectFlawless(await load.stop([{ version: "v2" }]));
    expect(failure).toMatchObject({ code: "HOOK_FAILED", exitCode: 10, details: { service: "migrate", exitCode: 1 } });
    expect(failure.message).toMatch(/^The pre hook migrate ended with exit code 1; its last line: ./);
    expect(JSON.stringify(failure)).toContain('relation \\"nowhere\\" does not exist');
    expect(JSON.stringify(failure)).not.toContain(password);
    expect(await stock.app.deployments()).toEqual(["#1 good", "#2 current", "#3 failed"]);
  });

  test("is removed when the agent dies in it; the release before serves", async () => {
    await stock.project.configure(["env"], { MIGRATION: "select pg_sleep(600)" });
    await lab.host.agentProcess.restart();
    await using load = await stock.app.startLoad();
    const applying = stock.project.startApply();
    const isRunning = async () => (await stock.app.containers()).some(({ name }) => name === "stock-4-migrate-1");
    await until("the job runs", isRunning);
    await lab.host.agentProcess.kill();
    const ended = await applying.ended;
    expect(ended.stdout).toContain("RELEASE_INTERRUPTED");
    await until("the job is gone", async () => !(await isRunning()));
    expectFlawless(await load.stop([{ version: "v2" }]));
    expect(await stock.app.deployments()).toEqual(["#1 good", "#2 current", "#3 failed", "#4 failed"]);
    await stock.project.configure(["env"], {});
    expect(await stock.project.applyAgain()).toEqual([]);
  });
});

describe("an app that cannot be there twice", () => {
  const away = "solo is away for a moment while it is deployed";

  test("is said to be away by the plan, and is so in the deploy and in the rollback", async () => {
    const compose = `x-ikoma: { strategy: replace }\n${webAlone}`;
    const solo = await lab.addProject({ name: "solo", compose });
    const [first, second] = [await solo.project.bundle(v1), await solo.project.bundle(v2)];
    const created = await solo.project.ikoma("deploy", "plan", "--bundle", first);
    expect(created.stdout).not.toContain(away);
    await solo.project.apply("--bundle", first);
    const planned = await solo.project.ikoma("deploy", "plan", "--bundle", second);
    expect(planned.stdout).toContain(away);
    expect(planned.stdout).toContain("web: the old one stops first, then the new one starts");

    await using load = await solo.app.startLoad(50);
    const applied = await solo.project.startApply("--bundle", second).ended;
    expect(applied.code).toBe(0);
    expect(applied.stderr).toMatch(/away[^\n]*nothing served for \d+ ms/);
    const back = await solo.project.ikoma("deploy", "rollback", "--yes", "--json");
    expect(back.code).toBe(0);
    expect(back.stderr).toMatch(/away[^\n]*nothing served for \d+ ms/);
    expectFlawless(await load.stop());
    expect(await solo.app.deployments()).toEqual(["#1 good", "#2 good", "#3 current"]);

    await solo.project.configure(["strategy"], "switch");
    await solo.project.configure(["env"], { GREETING: "hi" });
    const beside = await solo.project.ikoma("deploy", "plan");
    expect(beside.stdout).not.toContain(away);
    expect(beside.stdout).toContain("no downtime");
  });
});
