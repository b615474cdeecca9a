import { execFile } from "node:child_process";
import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import { parseDocument } from "yaml";
import type { PrepareStep } from "../../src/core/config/schema.ts";
import { forgetInStack, planForget } from "../../src/core/hosts/host-forget.ts";
import { targetsOf } from "../../src/core/hosts/host-rollout.ts";
import type { HostAccess } from "../../src/provider/hosts/agent-access.ts";
import { hosts } from "../../stacks/hosts.ts";
import { FakeAgent, fakeHosts } from "../doubles/agent.ts";
import { CommandPlugin } from "../doubles/command-plugin/index.ts";
import { withSshAgent } from "../rigs/ssh-agent.ts";
import { makeKey, startLine, startSshd, type SshdRig } from "../rigs/sshd.ts";
import { TestStack } from "./test-stack.ts";

const saved = { ...process.env };
let sshd: SshdRig;
let plugin: CommandPlugin;
let agent: FakeAgent;
let stack: TestStack;

beforeAll(async () => {
  sshd = await startSshd();
});
afterAll(() => sshd.stop());

beforeEach(async () => {
  plugin = await CommandPlugin.start();
  agent = new FakeAgent();
  agent.installed = undefined;
  stack = await TestStack.create({ [sshd.host.address]: agent });
  delete process.env["SSH_AUTH_SOCK"];
  Object.assign(process.env, stack.env, { PULUMI_DEBUG_PROVIDERS: plugin.attachment });
  await pulumi("stack", "init", "dev");
});
afterEach(async () => {
  process.env = { ...saved };
  await plugin[Symbol.asyncDispose]();
  await stack.remove();
  await rm(trace(), { force: true });
});

async function pulumi(...args: readonly string[]): Promise<void> {
  const env = { ...process.env, ...stack.env };
  await promisify(execFile)("pulumi", [...args, "--non-interactive"], { cwd: stack.workDir, env });
}

/** Where the steps write that they were run. */
function trace(): string {
  return join(sshd.folder, "trace");
}

function traced(): Promise<string> {
  return readFile(trace(), "utf8").catch(() => "");
}

type Step = Partial<PrepareStep> & { name: string };

/** A step that leaves its mark, and whether there was an agent by then. */
function marking(name: string, more: Partial<Step> = {}): Step {
  return { name, create: `echo ${name} >>${trace()}`, ...more };
}

async function configure(steps: readonly Step[], connection: object = {}): Promise<void> {
  const document = parseDocument(await readFile(stack.configFile, "utf8"));
  document.setIn(["config", "ikoma:hosts"], { vps1: { ...sshd.host, ...connection } });
  document.setIn(["config", "ikoma:setup"], { vps1: { prepare: steps } });
  await writeFile(stack.configFile, document.toString());
}

const three = (): Step[] => [marking("one"), marking("two"), marking("three")];

test("a plan names the steps in their order, and changes nothing", async () => {
  await configure(three());
  const { plan } = await stack.preview(hosts);
  expect(plan.map(({ name, operation }) => `${operation} ${name}`)).toEqual([
    "create vps1/one",
    "create vps1/two",
    "create vps1/three",
    "create vps1",
  ]);
  expect([plugin.runs, await traced(), agent.installed]).toEqual([[], "", undefined]);
});

test("the steps are run in order, each once, before the agent is put there; a second run does nothing", async () => {
  await configure(three());
  let doneBefore = "";
  const access = fakeHosts(stack.agents);
  const watching: HostAccess = {
    ...access,
    installAgent: async (...args) => {
      doneBefore = await traced();
      await access.installAgent(...args);
    },
  };
  const created = await stack.up(hosts, { access: watching });
  expect(created.changes).toEqual({ create: 4, update: 0, delete: 0, same: 0 });
  expect(doneBefore).toBe("one\ntwo\nthree\n");

  const again = await stack.up(hosts);
  expect(again.changes).toEqual({ create: 0, update: 0, delete: 0, same: 4 });
  expect(plugin.runs).toHaveLength(3);
});

test("a changed script, input or trigger runs its step again, and no other", async () => {
  await configure([marking("one"), marking("two", { stdin: "a", triggers: ["1"] }), marking("three")]);
  await stack.up(hosts);
  const installed = agent.installed;
  for (const change of [{ create: `echo again >>${trace()}` }, { stdin: "b" }, { triggers: ["1", "2"] }]) {
    await configure([marking("one"), marking("two", { stdin: "a", triggers: ["1"], ...change }), marking("three")]);
    const { plan } = await stack.preview(hosts);
    expect(plan.map(({ name, operation }) => `${operation} ${name}`)).toEqual([
      "same vps1/one",
      "replace vps1/two",
      "same vps1/three",
      "same vps1",
    ]);
    const before = plugin.runs.length;
    await stack.up(hosts);
    expect(plugin.runs.slice(before).map(({ urn, kind }) => `${kind} ${urn.split("::").at(-1) ?? ""}`)).toEqual([
      "create vps1/two",
    ]);
  }
  expect(agent.installed).toBe(installed);
});

test("what undoes a step is run before its changed script, and when it is taken out, the last one first", async () => {
  const undo = (name: string): Partial<Step> => ({ delete: `echo undo-${name} >>${trace()}` });
  await configure([marking("one", undo("one")), marking("two", undo("two"))]);
  await stack.up(hosts);
  await configure([marking("one", { ...undo("one"), create: `echo again >>${trace()}` }), marking("two", undo("two"))]);
  await stack.up(hosts);
  expect(await traced()).toBe("one\ntwo\nundo-one\nagain\n");
  await configure([]);
  await stack.up(hosts);
  expect(await traced()).toBe("one\ntwo\nundo-one\nagain\nundo-two\nundo-one\n");
});

test("a step that fails ends the run with its name and its last words; the next run goes on from there", async () => {
  const broken = { name: "two", create: "echo looking; ls /nowhere; echo not reached" };
  await configure([marking("one"), broken, marking("three")]);
  await expect(stack.up(hosts)).rejects.toMatchObject({
    code: "HOST_PREPARE_FAILED",
    exitCode: 4,
    message: "The step two of vps1 ended with status 2.",
    details: {
      host: "vps1",
      step: "two",
      log: ["looking", expect.stringMatching(/nowhere.*No such file/)],
    },
  });
  expect([agent.installed, agent.calls]).toEqual([undefined, []]);

  await configure(three());
  expect((await stack.up(hosts)).changes).toMatchObject({ create: 3, same: 1 });
  expect(await traced()).toBe("one\ntwo\nthree\n");
});

test("a failing step of a host that serves already leaves its agent alone", async () => {
  await configure(three());
  await stack.up(hosts);
  const seen = agent.calls.length;
  await configure([...three().slice(0, 2), { name: "three", create: "exit 9" }]);
  await expect(stack.up(hosts)).rejects.toMatchObject({ message: "The step three of vps1 ended with status 9." });
  expect(agent.calls.slice(seen).filter((method) => method !== "handshake")).toEqual([]);
  expect(agent.installed).toBeDefined();
});

test("neither the key nor a step's secret is in clear anywhere, not even where the step prints it", async () => {
  const secret = "correct-horse-battery";
  const seen = join(sshd.folder, "seen");
  const look = `read -r key; test "$key" = ${"$(cat " + join(sshd.folder, "expected") + ")"}
cat /proc/[0-9]*/cmdline >${seen} 2>/dev/null || true; env >>${seen}; echo "$key"; echo "$key" >&2`;
  await writeFile(join(sshd.folder, "expected"), secret);
  const failing = { name: "fails", create: 'read -r key; echo "it is $key!"; exit 1', stdin: "to be set" };
  await configure([{ name: "look", create: look, stdin: "to be set" }, failing]);
  for (const index of [0, 1]) {
    const path = `ikoma:setup.vps1.prepare[${index}].stdin`;
    await pulumi("config", "set", "--stack", "dev", "--secret", "--path", path, `${secret}\n`);
  }
  const error = await stack.up(hosts).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "HOST_PREPARE_FAILED", details: { log: ["it is [secret]!"] } });

  expect(await readFile(seen, "utf8")).toContain("sh\0-ec");
  const places = [
    await stack.allState(),
    await stack.configText(),
    await readFile(seen, "utf8"),
    JSON.stringify(error),
  ];
  const privateKey = (await readFile(sshd.host.identityFile ?? "", "utf8")).split("\n")[1] ?? "";
  for (const place of [...places, plugin.logged.join("\n")]) {
    expect(place).not.toContain(secret);
    expect(place).not.toContain(privateKey);
  }
  expect(privateKey.length).toBeGreaterThan(60);
  expect(await shownState()).toContain(privateKey);
  expect(await shownState()).toContain(secret);
});

/** The state with its secrets in clear: shows that they are there to be found. */
async function shownState(): Promise<string> {
  const { stdout } = await promisify(execFile)("pulumi", ["stack", "export", "--show-secrets", "--stack", "dev"], {
    cwd: stack.workDir,
    env: { ...process.env, ...stack.env },
  });
  return stdout;
}

test("another key or port runs no script again, and the next undoing uses it", async () => {
  await configure([marking("one", { delete: `echo undone >>${trace()}` }), marking("two")]);
  await stack.up(hosts);
  const line = await startLine(sshd.host.port);
  const other = await makeKey(sshd.folder, "other", "ed25519");
  try {
    await appendFile(join(sshd.folder, "id_ed25519.pub"), await readFile(`${other}.pub`));
    const moved = { port: line.port, identityFile: other };
    await configure([marking("one", { delete: `echo undone >>${trace()}` }), marking("two")], moved);
    expect((await stack.up(hosts)).changes).toEqual({ create: 0, update: 2, delete: 0, same: 1 });
    expect(await traced()).toBe("one\ntwo\n");
    await configure([marking("two")], moved);
    await stack.up(hosts);
    expect(await traced()).toBe("one\ntwo\nundone\n");
    expect(await shownState()).toContain(`\\"port\\":${line.port}`);
    expect(await shownState()).not.toContain(`\\"port\\":${sshd.host.port}`);
  } finally {
    line.close();
  }
});

test("a server with another key than the pinned one is refused, and nothing is run there", async () => {
  const impostor = await makeKey(sshd.folder, "impostor", "ed25519");
  const [type, key] = (await readFile(`${impostor}.pub`, "utf8")).split(" ");
  await configure(three(), { hostKey: `${type ?? ""} ${key ?? ""}` });
  await expect(stack.up(hosts)).rejects.toMatchObject({
    code: "HOST_KEY_CHANGED",
    message: expect.stringContaining("The step one of vps1 was not run"),
  });
  await configure(three(), { hostKey: sshd.hostKeys.rsa });
  await expect(stack.preview(hosts)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  expect([await traced(), agent.installed]).toEqual(["", undefined]);
});

test("an offline preview looks for no key, and finds nothing to change", async () => {
  await configure(three());
  await stack.up(hosts);
  await configure(three(), { identityFile: "/nowhere/key" });
  process.env["IKOMA_OFFLINE"] = "true";
  expect((await stack.preview(hosts)).changes).toEqual({ create: 0, update: 0, delete: 0, same: 4 });
  delete process.env["IKOMA_OFFLINE"];
  await expect(stack.preview(hosts)).rejects.toMatchObject({ code: "HOST_AUTH" });
});

test("a host that needs nothing needs neither the plugin nor its package", async () => {
  delete process.env["PULUMI_DEBUG_PROVIDERS"];
  await configure([]);
  expect((await stack.up(hosts)).changes).toMatchObject({ create: 1 });
  expect(await stack.stateText()).not.toContain("pulumi:providers:command");
  const program = join(import.meta.dirname, "../../stacks/index.ts");
  const script = `await import(${JSON.stringify(program)});
    const { cache } = (await import("node:module")).createRequire(${JSON.stringify(program)});
    const loaded = Object.keys(cache);
    console.log(loaded.some((path) => path.includes("@pulumi/pulumi")), loaded.some((path) => path.includes("@pulumi/command")));`;
  const { stdout } = await promisify(execFile)(process.execPath, [
    "--no-warnings",
    "--input-type=module",
    "-e",
    script,
  ]);
  expect(stdout).toBe("true false\n");
});

test("a dead host is forgotten with its steps, and nothing is undone there", async () => {
  await configure([marking("one"), marking("two", { delete: "exit 1" })]);
  await stack.up(hosts);
  const runs = plugin.runs.length;
  const [plan] = await planForget(stack.workDir, "vps1", undefined);
  if (plan === undefined) throw new Error("nothing is planned");
  const signal = new AbortController().signal;
  await forgetInStack(
    { folder: stack.workDir, host: "vps1", waitForLockMs: 0, signal, onRepair: () => undefined },
    plan,
  );
  expect(await stack.stateText()).not.toContain("::vps1");
  expect(plugin.runs).toHaveLength(runs);
});

test("in two runs, as a bootstrap has them, the steps come first, and one that was taken out is undone", async () => {
  const run = async (only?: "preparation"): Promise<string[]> => {
    const env = { ...stack.env, PULUMI_OPTION_TARGET: targetsOf("dev", "vps1", only).join(",") };
    const { plan } = await stack.up(hosts, { env });
    return plan.flatMap(({ name, operation }) => (operation === "same" ? [] : [`${operation} ${name}`]));
  };
  await configure([marking("one"), marking("two", { delete: `echo undone >>${trace()}` })]);
  expect(await run("preparation")).toEqual(["create vps1/one", "create vps1/two"]);
  expect(agent.installed).toBeUndefined();
  expect(await run()).toEqual(["create vps1"]);
  await configure([marking("one"), marking("three")]);
  expect(await run("preparation")).toEqual(["create vps1/three"]);
  expect(await run()).toEqual(["delete vps1/two"]);
  expect(await traced()).toBe("one\ntwo\nthree\nundone\n");
});

test("with the key in the SSH agent, the plugin logs in by it, and no key is in the state", async () => {
  await withSshAgent(sshd.folder, [sshd.host.identityFile ?? ""], async (socket) => {
    process.env["SSH_AUTH_SOCK"] = socket;
    await using withAgent = await CommandPlugin.start({ SSH_AUTH_SOCK: socket });
    process.env["PULUMI_DEBUG_PROVIDERS"] = withAgent.attachment;
    await configure([marking("one")]);
    await stack.up(hosts);
    expect(await traced()).toBe("one\n");
    expect(await shownState()).toContain("hostKey");
    expect(await shownState()).not.toContain("privateKey");
  });
});
