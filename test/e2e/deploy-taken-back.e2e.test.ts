import process from "node:process";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { expectNoFailure, startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

/** The release before it serves again so long after the verdict, at most. */
const switchBackMs = 200;

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let bundles: Record<"v1" | "v2" | "worn", string>;

beforeAll(async () => {
  lab = await startDeployLab("taken");
  const settings = { health: { path: "/health", timeoutSeconds: 20 }, keep: 9 };
  ({ project, app } = await lab.addProject({ name: "shop", compose: webAlone, settings }));
  const images: TinyWebImage[] = [
    await pushTinyWeb("v1"),
    await pushTinyWeb("v2"),
    await pushTinyWeb("worn", { FAIL_AFTER_REQUESTS: "60" }),
  ];
  const [v1 = "", v2 = "", worn = ""] = await Promise.all(images.map((image) => project.bundle(image)));
  bundles = { v1, v2, worn };
  await project.apply("--bundle", v1);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
}, 60_000);

/** Number, version and status of each deployment, as `deploy history` shows them. */
async function statuses(): Promise<string[]> {
  const { stdout } = await project.ikoma("deploy", "history");
  const rows = stdout.split("\n").filter((line) => /^ *\d/.test(line));
  return rows.map((line) =>
    line
      .split(/ {2,}/)
      .map((cell) => cell.trim())
      .slice(0, 3)
      .join(" "),
  );
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
    expectNoFailure(await load.stop());
    expect(await project.apply()).toMatchObject({ changed: false });
    expect((await statuses()).slice(0, 3)).toEqual(["5 v2 current", "4 v1 good", "3 v2 good"]);
  });
});
