import { randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { pushTinyWeb, type TinyWebImage } from "./fixture/index.ts";
import { startDeployLab, webAlone } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab, RunningCommand } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;
let crashing: TinyWebImage;

/** Found wherever it leaks, whatever is done to the characters around it. */
const core = `CANARY${randomBytes(8).toString("hex")}`;
/** What shells, compose, JSON and regular expressions each would like to change. */
const secret = `p$HOME-\${X}"'\\ ${core} #%é`;
const told: string[] = [];

beforeAll(async () => {
  lab = await startDeployLab("secrets");
  [v1, crashing] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("leaky", { CRASH_AT_START_CODE: "1" })]);
  ({ project, app } = await lab.addProject({
    name: "vault",
    compose: webAlone,
    settings: { env: { LOG_ENV: "API_TOKEN" } },
  }));
  await project.setSecret("API_TOKEN", secret);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
}, 60_000);

/** Command lines of all processes, those on the server too: the lab's machines share this one's kernel. */
async function commandLines(): Promise<string[]> {
  const processes = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  // A process may end between the listing and the look at it.
  return Promise.all(processes.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
}

/** Looks at the command lines again and again until the command ends; gives all that were seen. */
async function watched(command: RunningCommand): Promise<string[]> {
  const seen = new Set<string>();
  while (!command.isOver) {
    for (const line of await commandLines()) seen.add(line);
  }
  const { stdout, stderr } = await command.ended;
  told.push(stdout, stderr);
  return [...seen];
}

function expectNoTrace(text: string): void {
  expect(text.length).toBeGreaterThan(0);
  expect(text).not.toContain(core);
  expect(text).not.toContain(Buffer.from(secret).toString("base64"));
}

test("the container gets it to the letter, and no process does by its command line", async () => {
  const seen = await watched(project.startApply("--bundle", await project.bundle(v1)));
  expect(await app.versions()).toEqual(["v1"]);
  expect(await app.variable("API_TOKEN")).toBe(secret);
  expect(seen.some((line) => line.includes("compose"))).toBe(true);
  expect(seen.some((line) => line.includes("pulumi\0up"))).toBe(true);
  expectNoTrace(seen.join("\n"));
});

test("a release that prints it and crashes does not bring it into the error", async () => {
  const bundle = await project.bundle(crashing);
  const failed = await project.ikoma("deploy", "apply", "--yes", "--bundle", bundle);
  expect(failed.code).toBe(10);
  expect(failed.stderr).toContain("API_TOKEN=");
  const { details, exitCode } = await project.applyBadly("--bundle", bundle, "--redeploy");
  expect(exitCode).toBe(10);
  told.push(failed.stdout, failed.stderr, JSON.stringify(details));
});

test("no command has printed it, nor do those that only look", async () => {
  for (const args of [["plan"], ["plan", "--json"], ["history"], ["history", "--json"], ["status", "--json"]]) {
    const { stdout, stderr } = await project.ikoma("deploy", ...args);
    told.push(stdout, stderr);
  }
  const live = await project.ikoma("status", "--live", "--json");
  const plain = await project.pulumiWell("preview", "--diff");
  expectNoTrace([...told, live.stdout, live.stderr, plain].join("\n"));
});

test("neither state nor history nor the stack's file has it in clear", async () => {
  expectNoTrace(await project.allState());
  expectNoTrace(await project.stackText());
});

test("on the server it is in no file of the agent's, in no log, and only in the container's environment", async () => {
  const { vps } = lab.host;
  const logs = await vps.exec("docker logs ikoma-agent 2>&1; docker logs ikoma-edge 2>&1");
  expectNoTrace(logs.stdout);
  const files = await vps.exec(
    `find /var/lib/ikoma -type f | wc -l; grep --recursive --text --files-with-matches ${core} /var/lib/ikoma /tmp /root /etc /home`,
  );
  expect(Number(files.stdout.split("\n")[0])).toBeGreaterThan(5);
  expect(files.stdout.split("\n").slice(1)).toEqual([""]);

  const inspected = await vps.exec("docker inspect $(docker ps --all --quiet)");
  const holders = inspected.stdout.split("\n").filter((line) => line.includes(core));
  expect(holders).toEqual([expect.stringMatching(/^ +"API_TOKEN=/)]);
});

test("a rollback keeps the current value of the secret", async () => {
  await project.apply("--bundle", await project.bundle(await pushTinyWeb("v2")));
  const renewed = `${secret}-renewed`;
  await project.setSecret("API_TOKEN", renewed);
  await project.rollBack();
  expect(await app.versions()).toEqual(["v1"]);
  expect(await app.variable("API_TOKEN")).toBe(renewed);
});
