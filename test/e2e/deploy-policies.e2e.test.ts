import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parseDocument } from "yaml";
import * as z from "zod";
import { readCommands } from "../documents/read-commands.ts";
import { shellBlocks } from "./documents/shell-blocks.ts";
import { pushTinyWeb } from "./fixture/index.ts";
import { readPlanned } from "./project/command-results.ts";
import { startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let bundles: { v1: string; v2: string };

const closed = { windows: [{ kind: "deny", reason: "the holidays" }] };
const history = z.object({
  data: z.object({ deployments: z.array(z.object({ number: z.number(), note: z.string().optional() })) }),
});

beforeAll(async () => {
  lab = await startDeployLab("policies");
  const [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  ({ project, app } = await lab.addProject({ name: "shop", compose: webAlone, settings: {} }));
  bundles = { v1: await project.bundle(v1), v2: await project.bundle(v2) };
  await project.setSecret("API_TOKEN", "hush-hush-hush");
  await project.apply("--bundle", bundles.v1);
  for (const name of ["anna", "eve"])
    execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", keyFile(name)]);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

function keyFile(name: string): string {
  return join(project.folder, "..", name);
}

/** The stack's policy, as by an editor; undefined takes it out. */
async function setPolicy(policy: object | undefined): Promise<void> {
  const document = parseDocument(await project.stackText());
  if (policy === undefined) document.deleteIn(["config", "ikoma:policy"]);
  else document.setIn(["config", "ikoma:policy"], document.createNode(policy));
  await project.write(document.toString());
}

/** The words of the guide's command that has `part` in it, with what it leaves open filled in. */
async function guide(part: string, filledIn: Readonly<Record<string, string>>): Promise<string[]> {
  const blocks = await shellBlocks("docs/guides/policies.md");
  const commands = (await Promise.all(blocks.map(({ text }) => readCommands(text)))).flat();
  const words = commands.find((each) => each.includes(part));
  if (words === undefined) throw new Error(`the guide has no command with ${part}`);
  return words.map((word) => filledIn[word] ?? word);
}

async function lastNote(): Promise<string | undefined> {
  const { stdout } = await project.ikoma("deploy", "history", "--json", "--limit", "1");
  return history.parse(JSON.parse(stdout)).data.deployments[0]?.note;
}

describe("outside the deploy windows", () => {
  test("nothing is changed, by the command or by plain pulumi; a plan says so", async () => {
    await setPolicy(closed);
    const before = await app.container("web");
    expect(await project.applyBadly("--bundle", bundles.v2)).toMatchObject({
      ...{ code: "WINDOW_CLOSED", exitCode: 4 },
      message: expect.stringContaining("the holidays") as unknown,
    });
    const planned = await project.ikoma("deploy", "plan", "--bundle", bundles.v2);
    expect(planned).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/shop may not be changed now.*holidays/) as unknown,
    });
    await project.configure(["env", "GREETING"], "two");
    expect(await project.pulumiBadly("up", "--yes", "--skip-preview")).toMatch(
      /WINDOW_CLOSED: shop may not be changed now/,
    );
    expect(await project.pulumiBadly("destroy", "--yes", "--skip-preview")).toContain("WINDOW_CLOSED");
    expect(await app.container("web")).toEqual(before);
    await project.configure(["env"], undefined);
    expect(await project.applyAgain()).toEqual([]);
  });

  test("a reason lets it through and is in the history; going back needs none", async () => {
    await project.ikomaWell(...(await guide("--outside-window", { REF: bundles.v2 })), "--yes");
    expect(await app.versions()).toEqual(["v2"]);
    expect(await lastNote()).toBe("outside the deploy windows: checkout is broken, ticket 4711");
    expect(await project.rollBack()).toMatchObject({ apps: { shop: { version: "v1" } } });
  });
});

describe("where a plan has to be approved", () => {
  const planDigest = async (): Promise<string> => (await project.plan("--bundle", bundles.v2, "--app", "shop")).digest;
  const approve = (plan: string, name: string) =>
    project.ikoma("deploy", "approve", "--yes", "--bundle", bundles.v2, "--plan", plan, "--identity", keyFile(name));
  const applyV2Badly = () => project.applyBadly("--bundle", bundles.v2, "--redeploy");

  beforeAll(async () => {
    const anna = readFileSync(`${keyFile("anna")}.pub`, "utf8")
      .split(" ")
      .slice(0, 2)
      .join(" ");
    await setPolicy({ approvals: { approvers: { anna } } });
  });

  test("it is refused without, by the command and by plain pulumi", async () => {
    const plan = await planDigest();
    expect(await applyV2Badly()).toMatchObject({
      ...{ code: "APPROVAL_MISSING", exitCode: 4 },
      hint: expect.stringContaining(`ikoma deploy approve -s prod --plan ${plan}`) as unknown,
    });
    await project.configure(["env", "GREETING"], "two");
    expect(await project.pulumiBadly("up", "--yes", "--skip-preview")).toContain("APPROVAL_MISSING");
    await project.configure(["env"], undefined);
    expect(await app.versions()).toEqual(["v1"]);
  });

  test("only an approver's key approves, and only the plan that was looked at", async () => {
    const plan = await planDigest();
    expect(await approve(plan, "eve")).toMatchObject({
      code: 3,
      stderr: expect.stringContaining("No approver") as unknown,
    });
    expect(await approve(`sha256:${"0".repeat(64)}`, "anna")).toMatchObject({ code: 4 });
    expect(await applyV2Badly()).toMatchObject({ code: "APPROVAL_MISSING" });
  });

  test("approved, exactly that is applied: other settings are refused again", async () => {
    const { digest: plan } = readPlanned(await project.ikoma(...(await guide("plan", { REF: bundles.v2 }))));
    // Nobody looks at it here.
    const unattended = ["--yes", "--plan", plan, "--identity", keyFile("anna")];
    const approval = await guide("approve", { REF: bundles.v2 });
    expect(await project.ikomaWell(...approval, ...unattended)).toContain("1 of 1");
    await project.configure(["keep"], 7);
    expect(await applyV2Badly()).toMatchObject({ code: "APPROVAL_MISSING" });
    await project.configure(["keep"], undefined);
    // It was rolled back from; somebody means it now.
    await project.ikomaWell(...(await guide("--plan", { REF: bundles.v2, DIGEST: plan })), "--redeploy");
    expect(await app.versions()).toEqual(["v2"]);
    expect(await lastNote()).toBe("approved by anna");
  });

  test("going back needs no approval unless the policy says so", async () => {
    expect(await project.rollBack()).toMatchObject({ apps: { shop: { version: "v1" } } });
  });
});
