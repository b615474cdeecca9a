import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { parseDocument } from "yaml";
import { pushTinyWeb, type TinyWebImage } from "./fixture/index.ts";
import { startDeployLab, stackName, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;

const needsVariable = webAlone.replace("GREETING: ${GREETING:-hello}", "GREETING: ${GREETING:?say something}");

beforeAll(async () => {
  lab = await startDeployLab("plain");
  v1 = await pushTinyWeb("v1");
  const settings = { env: { GREETING: "one" } };
  ({ project, app } = await lab.addProject({ name: "blog", compose: needsVariable, settings }));
  await project.setSecret("API_TOKEN", "hush-hush-hush");
  await project.apply("--bundle", await project.bundle(v1));
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

describe("plain pulumi and the command work on the same state", () => {
  const unchanged = ["preview", "--diff", "--expect-no-changes"];

  test("after the command's deploy, a plain preview has nothing to do", async () => {
    expect(await project.pulumiWell(...unchanged)).toMatch(/\d+ unchanged/);
  });

  test("a plain up deploys, and the command has nothing to do after it", async () => {
    await project.configure(["env", "GREETING"], "two");
    expect(await project.pulumiWell("preview", "--diff")).toMatch(/GREETING.*"one" => "two"/);
    expect(await app.variable("GREETING")).toBe("one");

    await project.pulumiWell("up", "--yes", "--skip-preview");
    expect(await app.variable("GREETING")).toBe("two");
    const before = await app.container("web");
    expect(await project.plan()).toMatchObject({ changes: false });
    expect(await project.apply()).toMatchObject({ changed: false, apps: { blog: { number: 2 } } });
    expect(await app.container("web")).toEqual(before);
  });

  test("the command's rollback follows on a plain up, and a plain preview on it", async () => {
    await project.rollBack();
    expect(await app.variable("GREETING")).toBe("one");
    await project.pulumiWell(...unchanged);
  });

  test("a bundle in a file is found by both", async () => {
    const pin = String(await project.setting("bundle"));
    const file = join(project.folder, "..", "blog.bundle.json");
    const from = ["--app", "blog", "--version", "v1-file", "--image", `web=${v1.reference}`];
    expect(await project.ikoma("bundle", "create", ...from, "--output", file)).toMatchObject({ code: 0 });
    expect(await project.apply("--bundle", file)).toMatchObject({ apps: { blog: { version: "v1-file" } } });
    expect(await project.setting("bundle")).toContain(`${file}@sha256:`);
    await project.forgetBundles();
    await project.pulumiWell(...unchanged);
    await project.apply("--bundle", pin);
  });

  test("in a new folder `ikoma init` is all that plain pulumi needs", async () => {
    const folder = join(project.folder, "..", "fresh");
    await mkdir(join(folder, "state"), { recursive: true });
    const init = await project.shell(`ikoma init --cwd '${folder}' --backend 'file://${folder}/state'`);
    expect(init).toMatchObject({ code: 0, stdout: expect.stringContaining("written  Pulumi.prod.yaml") as unknown });
    const settings = parseDocument(await readFile(join(folder, "Pulumi.prod.yaml"), "utf8"));
    settings.setIn(["config", "ikoma:hosts"], { vps1: lab.host.config });
    settings.setIn(["config", "ikoma:apps", "fresh", "bundle"], await project.setting("bundle"));
    settings.setIn(["config", "ikoma:apps", "fresh", "env"], { GREETING: "fresh" });
    settings.setIn(["config", "ikoma:apps", "fresh", "domains"], ["fresh.test"]);
    await writeFile(join(folder, "Pulumi.prod.yaml"), settings.toString());
    const path = `${join(project.folder, "..", "plugin")}:$PATH`;
    const pulumi = `PATH="${path}" pulumi --cwd '${folder}' --non-interactive --stack prod`;
    const preview = await project.shell(`${pulumi} stack select --create && ${pulumi} preview --color never`);
    expect(preview.stdout + preview.stderr).toMatch(/ikoma:vps:Release +fresh +create/);
  });

  test("a release that crashes fails a plain up as well, with its reason", async () => {
    const before = await app.container("web");
    const pin = await project.setting("bundle");
    await project.configure(["bundle"], await project.bundle(await pushTinyWeb("crash", { CRASH_AT_START_CODE: "3" })));
    expect(await project.pulumiBadly("up", "--yes", "--skip-preview")).toMatch(
      /RELEASE_CRASHED[^]*crashing at start on purpose/,
    );
    expect(await app.container("web")).toEqual(before);
    await project.configure(["bundle"], pin);
  });
});

describe("bad input is refused with its reason, and changes nothing", () => {
  interface Standing {
    container: unknown;
    resources: string[];
    settings: string;
  }
  const standing = async (): Promise<Standing> => ({
    container: await app.container("web"),
    resources: await project.resources(),
    settings: await project.stackText(),
  });
  let before: Standing;

  beforeAll(async () => {
    await project.apply();
    before = await standing();
  });

  afterEach(() => writeFile(project.stackFile, before.settings));

  /** Refused by the command and by plain `pulumi` alike, before and in the middle of the program. */
  async function expectRefusal(code: string, reason: RegExp): Promise<string> {
    const { container, resources } = before;
    const failure = await project.applyBadly();
    expect(failure).toMatchObject({ exitCode: 2, code, message: expect.stringMatching(reason) as unknown });
    expect(await standing()).toMatchObject({ container, resources });
    expect(await project.pulumiBadly("up", "--yes", "--skip-preview")).toMatch(reason);
    expect(await app.container("web")).toEqual(container);
    return failure.hint;
  }

  test("an unknown setting, named by its path, with the nearest name", async () => {
    await project.configure(["drainSecond"], 3);
    await expectRefusal("CONFIG_INVALID", /ikoma:apps\.blog\.drainSecond: .*"drainSeconds"/);
  });

  test("an unknown host, with the nearest name", async () => {
    await project.configure(["host"], "vsp1");
    await expectRefusal("CONFIG_INVALID", /ikoma:apps\.blog\.host: .*"vsp1".*"vps1"/);
  });

  test("a missing variable, with the command that sets it, which works", async () => {
    await project.configure(["env", "GREETING"], undefined);
    const hint = await expectRefusal("CONFIG_MISSING", /blog needs GREETING/);
    const command = /`(pulumi config set --stack prod --path [^`]* )VALUE`/.exec(hint)?.[1];
    expect(command).toContain("ikoma:apps.blog.env.GREETING");
    expect(await project.shell(`${command ?? ""}one`)).toMatchObject({ code: 0 });
    expect(await project.applyAgain()).toEqual([]);
    before = await standing();
  });

  test("an unknown app, with the nearest name", async () => {
    const bundle = String(await project.setting("bundle"));
    const failure = await project.applyBadly("--app", "blgo", "--bundle", bundle);
    expect(failure).toMatchObject({ exitCode: 2, code: "APP_UNKNOWN" });
    expect(`${failure.message} ${failure.hint}`).toMatch(/"blgo".*blog\?/);
    expect(await standing()).toEqual(before);
  });

  test.each([
    ["in a registry", "10.77.0.1:5000/blog-bundle:v99", /blog-bundle:v99/],
    ["in a file", "./nothing.bundle.json", /nothing\.bundle\.json/],
    ["by its digest", `10.77.0.1:5000/blog-bundle@sha256:${"0".repeat(64)}`, /sha256:0000/],
  ])("an unknown bundle %s", async (_where, reference, named) => {
    const failure = await project.applyBadly("--bundle", reference);
    expect(failure).toMatchObject({
      exitCode: 1,
      code: "BUNDLE_NOT_FOUND",
      message: expect.stringMatching(named) as unknown,
    });
    expect(await standing()).toEqual(before);
  });

  test("an unknown stack, with the nearest name", async () => {
    const failure = await project.applyBadly("--stack", "prdo");
    expect(failure).toMatchObject({ exitCode: 6, code: "STACK_NOT_FOUND" });
    expect(failure.hint).toContain(stackName);
    expect(await standing()).toEqual(before);
  });

  test("a wrong passphrase", async () => {
    const wrong = await project.shell("PULUMI_CONFIG_PASSPHRASE=nonsense ikoma deploy apply --yes --json");
    expect(wrong).toMatchObject({ code: 3, stdout: expect.stringContaining("PASSPHRASE_MISSING") as unknown });
    expect(await standing()).toEqual(before);
  });
});
