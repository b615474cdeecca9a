import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { readApplied } from "./project/command-results.ts";
import { killProcess, processEnd, startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab, RunningCommand } from "./project/index.ts";

let lab: DeployLab;
let v1: TinyWebImage;
let v2: TinyWebImage;

beforeAll(async () => {
  lab = await startDeployLab("interrupted");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
}, 300_000);

afterEach(async () => {
  await lab.host.agentProcess.letGo();
  await lab.host.vps.restoreNetwork();
});

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

interface Deployed {
  project: AppProject;
  app: AppOnServer;
  /** Of v2, not deployed yet. */
  next: string;
}

async function withV1(name: string): Promise<Deployed> {
  const { project, app } = await lab.addProject({ name, compose: webAlone });
  await project.apply("--bundle", await project.bundle(v1));
  return { project, app, next: await project.bundle(v2) };
}

/** A deploy of v2 that stands still on the server, in the middle of the gate. */
async function heldApply({ project, app, next }: Deployed): Promise<RunningCommand> {
  await lab.host.agentProcess.hold("gating");
  const command = project.startApply("--bundle", next);
  const endedEarly = command.ended.then(({ stdout, stderr }) => {
    throw new Error(`the deploy ended before it was held:\n${stdout}${stderr}`);
  });
  await Promise.race([app.reached("gating"), endedEarly]);
  return command;
}

/** One v2 serves, deployed once: the second number is the only one after v1. */
async function expectV2({ project, app, next }: Deployed): Promise<void> {
  expect(await app.versions()).toEqual(["v2"]);
  await until("v1 is gone, its network too", async () => {
    expect(await app.inShort()).toMatchObject({
      containers: [`${app.name}-2-web-1 running`],
      networks: [`${app.name}-2`],
      deployments: ["#1 good", "#2 current"],
    });
    return true;
  });
  expect(await project.setting("bundle")).toBe(next);
  expect(await project.locks()).toEqual([]);
  expect(await project.stateText()).not.toContain('"pending_operations"');
  expect(await project.plan()).toMatchObject({ changes: false });
}

describe("the way to the server is cut in mid-deploy", () => {
  test("for a while: the same command attaches again and succeeds", async () => {
    const deployed = await withV1("cut-for-a-while");
    await using command = await heldApply(deployed);
    await lab.host.vps.cutNetwork();
    await lab.host.agentProcess.letGo();
    await until("the server has finished alone", async () => {
      const { stdout } = await lab.host.vps.exec("docker ps --format '{{.Names}}'");
      return (
        stdout.trim().split("\n").includes("cut-for-a-while-2-web-1") && !stdout.includes("cut-for-a-while-1-web-1")
      );
    });
    expect(command.isOver).toBe(false);
    await lab.host.vps.restoreNetwork();
    expect(readApplied(await command.ended)).toMatchObject({
      apps: { "cut-for-a-while": { number: 2, version: "v2" } },
    });
    await expectV2(deployed);
  });

  test("by the end of its SSH session: the same command connects again and succeeds", async () => {
    const deployed = await withV1("session-killed");
    await using command = await heldApply(deployed);
    const { stdout } = await lab.host.vps.exec("pgrep -f '^sshd: .*@notty'");
    const sessions = stdout.trim().split("\n");
    await lab.host.vps.exec(`kill -9 ${sessions.join(" ")}`);
    await until("the session is another", async () => {
      const now = (await lab.host.vps.exec("pgrep -f '^sshd: .*@notty'")).stdout.trim().split("\n");
      return now.some((pid) => pid !== "" && !sessions.includes(pid));
    });
    await lab.host.agentProcess.letGo();
    expect(readApplied(await command.ended)).toMatchObject({
      apps: { "session-killed": { number: 2, version: "v2" } },
    });
    await expectV2(deployed);
  });
});

describe("kill -9 in mid-deploy, then the same command again", () => {
  test("of the command and its engine", async () => {
    const deployed = await withV1("both-killed");
    const command = await heldApply(deployed);
    const engines = await command.children();
    expect(engines).toHaveLength(1);
    await Promise.all([command.kill(), ...engines.map(killProcess)]);
    expect(await deployed.project.locks()).toHaveLength(1);

    await lab.host.agentProcess.letGo();
    await deployed.project.apply("--bundle", deployed.next);
    await expectV2(deployed);
  });

  test("of the command alone: its engine gives way by itself", async () => {
    const deployed = await withV1("command-killed");
    const command = await heldApply(deployed);
    const engines = await command.children();
    expect(engines).toHaveLength(1);
    await command.kill();

    await using again = deployed.project.startApply("--bundle", deployed.next, "--wait-for-lock", "60");
    for (const pid of engines) await processEnd(pid);
    await lab.host.agentProcess.letGo();
    readApplied(await again.ended);
    await expectV2(deployed);
  });

  test("of both, in the very first deploy", async () => {
    const { project, app } = await lab.addProject({ name: "first-killed", compose: webAlone });
    const first = await project.bundle(v1);
    const command = await heldApply({ project, app, next: first });
    const engines = await command.children();
    await Promise.all([command.kill(), ...engines.map(killProcess)]);

    await lab.host.agentProcess.letGo();
    const { apps } = await project.apply("--bundle", first);
    expect(apps["first-killed"]).toMatchObject({ number: 1, version: "v1" });
    expect(await app.versions()).toEqual(["v1"]);
    expect(await app.inShort()).toMatchObject({
      containers: ["first-killed-1-web-1 running"],
      deployments: ["#1 current"],
    });
    expect(await project.plan()).toMatchObject({ changes: false });
  });
});

describe("two deploys at once", () => {
  test("of one stack: the second is refused and told who holds it, or waits when it may", async () => {
    const deployed = await withV1("same-stack");
    const { project, next } = deployed;
    await using first = await heldApply(deployed);
    const [engine] = await first.children();
    const owner = `${userInfo().username}@${hostname()} (pid ${engine ?? 0}`;
    const failure = await project.applyBadly("--bundle", next);
    expect(failure).toMatchObject({
      exitCode: 1,
      code: "STACK_LOCKED",
      message: expect.stringContaining(owner) as unknown,
    });
    expect(first.isOver).toBe(false);

    await using patient = project.startApply("--bundle", next, "--wait-for-lock", "60");
    await lab.host.agentProcess.letGo();
    expect(readApplied(await first.ended)).toMatchObject({ changed: true, apps: { "same-stack": { number: 2 } } });
    expect(readApplied(await patient.ended)).toMatchObject({ changed: false, apps: { "same-stack": { number: 2 } } });
    await expectV2(deployed);
  });

  test("of one app from two places, which share no lock: the server refuses the second, or lets it wait", async () => {
    const deployed = await withV1("two-places");
    const parent = join(deployed.project.folder, "elsewhere");
    const elsewhere = await lab.addProject({ name: "two-places", compose: webAlone, parent });
    await using first = await heldApply(deployed);
    const failure = await elsewhere.project.applyBadly("--bundle", deployed.next);
    expect(failure).toMatchObject({ exitCode: 4, code: "DEPLOY_IN_PROGRESS" });
    const holder = `${userInfo().username}@${hostname()} (process ${first.pid})`;
    expect(failure.message).toContain(holder);

    await using patient = elsewhere.project.startApply("--bundle", deployed.next, "--wait-for-lock", "60");
    await until("the patient one says whom it waits for", () =>
      patient.output.stderr.includes(`Waiting: two-places is being deployed by ${holder}`),
    );
    await lab.host.agentProcess.letGo();
    readApplied(await first.ended);
    expect(readApplied(await patient.ended)).toMatchObject({ apps: { "two-places": { number: 2 } } });
    await expectV2(deployed);
  });
});
