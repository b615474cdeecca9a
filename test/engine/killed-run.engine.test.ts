import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, expect, test } from "@jest/globals";
import * as z from "zod";
import { IkomaError } from "../../src/core/errors.ts";
import { repairStack } from "../../src/core/engine/stack-repair.ts";
import { FakeAgent, fakeHosts } from "../doubles/agent.ts";
import { hostAddress, releaseProgram } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];
const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const stack of stacks.splice(0)) await stack.remove();
});

async function newStack(agent: FakeAgent): Promise<TestStack> {
  const stack = await TestStack.create({ [hostAddress]: agent });
  stacks.push(stack);
  return stack;
}

/** An `up` in another process that waits in the middle of `release.apply`. */
async function startHeldRun(stack: TestStack, ...more: string[]): Promise<ChildProcess> {
  const script = join(import.meta.dirname, "held-run.ts");
  const child = spawn("node", [script, "--workDir", stack.workDir, ...more], {
    env: { ...process.env, ...stack.env, NODE_OPTIONS: "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) if (line === "held") return child;
  throw new Error("the run ended before it was held");
}

const lockFile = z.looseObject({ pid: z.number() });

async function enginePid(stack: TestStack): Promise<number> {
  const [path] = await stack.lockFiles();
  return lockFile.parse(JSON.parse(await readFile(path ?? "", "utf8"))).pid;
}

async function gone(pid: number): Promise<void> {
  const giveUpAtMs = Date.now() + 30_000;
  while (isAlive(pid)) {
    if (Date.now() > giveUpAtMs) throw new Error(`process ${pid} still lives`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test("after kill -9 of the CLI and its engine in mid-operation, the next up goes through by itself", async () => {
  const agent = new FakeAgent();
  const stack = await newStack(agent);
  const cli = await startHeldRun(stack, "--version", "v1");
  const engine = await enginePid(stack);
  cli.kill("SIGKILL");
  process.kill(engine, "SIGKILL");
  await Promise.all([once(cli, "exit"), gone(engine)]);
  expect(await stack.lockFiles()).toHaveLength(1);
  const left = await stack.stateText();
  expect(left).toContain('"pending_operations"');

  // Whoever only looks leaves it as it is.
  await stack.run("drift", releaseProgram("v1"));
  expect(await stack.stateText()).toBe(left);

  const repairs: string[] = [];
  const result = await stack.up(releaseProgram("v1"), { onRepair: (message) => repairs.push(message) });
  expect(repairs).toEqual([expect.stringContaining(`(pid ${engine}`)]);
  expect(result.changes.create).toBe(1);
  expect(agent.part("shop", "release")?.exists).toBe(true);
  expect(await stack.lockFiles()).toEqual([]);
  expect(await stack.stateText()).not.toContain('"pending_operations"');
});

test("after kill -9 of the CLI in the middle of an update, the engine ends and gives up its lock", async () => {
  const agent = new FakeAgent();
  const stack = await newStack(agent);
  await stack.up(releaseProgram("v1"));
  const cli = await startHeldRun(stack, "--version", "v2", "--deployed");
  const engine = await enginePid(stack);
  cli.kill("SIGKILL");
  await gone(engine);
  expect(await stack.lockFiles()).toEqual([]);

  const result = await stack.up(releaseProgram("v2"));
  expect(result.changes.update).toBe(1);
});

test("a stack that a living run holds is not touched, and can be waited for", async () => {
  const agent = new FakeAgent();
  const stack = await newStack(agent);
  await stack.up(releaseProgram("v1"));
  const release = agent.hold("release.apply");
  const holding = stack.up(releaseProgram("v2"));
  await expect(waitFor(() => agent.started.length === 2)).resolves.toBe(true);

  await expect(stack.up(releaseProgram("v3"))).rejects.toMatchObject({
    code: "STACK_LOCKED",
    message: expect.stringContaining(hostname()) as unknown,
  });
  const waiting = stack.up(releaseProgram("v3"), { waitForLockMs: 60_000 });
  release();
  await expect(holding).resolves.toMatchObject({ changes: { update: 1 } });
  await expect(waiting).resolves.toMatchObject({ changes: { update: 1 } });
});

test.each(["DEPLOY_IN_PROGRESS", "STALE_GENERATION"] as const)(
  "a deploy from elsewhere (%s) is waited for with patience, and refuses without",
  async (code) => {
    const agent = new FakeAgent();
    const stack = await newStack(agent);
    await stack.up(releaseProgram("v1"));
    const elsewhere = new IkomaError(code, "shop is being deployed by anna@laptop.");
    agent.failNext("release.apply", elsewhere);
    await expect(stack.up(releaseProgram("v2"))).rejects.toMatchObject({ code, message: elsewhere.message });

    agent.failNext("release.apply", elsewhere);
    const told: string[] = [];
    const onRepair = (message: string): void => void told.push(message);
    const waited = await stack.up(releaseProgram("v2"), { waitForLockMs: 60_000, onRepair });
    expect(waited.changes.update).toBe(1);
    expect(told).toEqual(["Waiting: shop is being deployed by anna@laptop."]);
    expect(agent.part("shop", "release")?.input).toMatchObject({ spec: { version: "v2" } });
  },
);

test("before another attempt it is asked whether that is still to be made, whoever was waited for", async () => {
  const agent = new FakeAgent();
  const stack = await newStack(agent);
  await stack.up(releaseProgram("v1"));
  const moved = new IkomaError("PLAN_CHANGED", "What would be done is no longer what was approved.");
  const patient = { waitForLockMs: 60_000, beforeAnother: () => Promise.reject(moved) };
  agent.failNext("release.apply", new IkomaError("DEPLOY_IN_PROGRESS", "shop is being deployed by anna@laptop."));
  await expect(stack.up(releaseProgram("v2"), patient)).rejects.toBe(moved);
  await lockFromElsewhere(stack);
  await expect(stack.up(releaseProgram("v2"), patient)).rejects.toBe(moved);
  expect(agent.started).toHaveLength(2);
});

/** A run on another machine that holds the stack; gives its lock file. */
async function lockFromElsewhere(stack: TestStack): Promise<string> {
  const lock = join(stack.stateDir, ".pulumi", "locks", "organization", "engine-test", "dev", "other.json");
  await mkdir(dirname(lock), { recursive: true });
  await writeFile(
    lock,
    JSON.stringify({ pid: 999_999, username: "ci", hostname: "runner-7", timestamp: "2026-01-01T00:00:00Z" }),
  );
  return lock;
}

interface Repaired {
  readonly asked: string[];
  readonly told: string[];
}

/** `ikoma deploy repair --force`, answered with yes, or with `refusal`. */
async function repairByForce(stack: TestStack, refusal?: Error): Promise<Repaired> {
  const [asked, told]: [string[], string[]] = [[], []];
  await repairStack({
    place: { workDir: stack.workDir, stackName: "dev", env: stack.env },
    program: () => Promise.resolve(releaseProgram("v1")),
    access: fakeHosts(stack.agents),
    waitForLockMs: 0,
    signal: new AbortController().signal,
    breakLocks: (owners) => {
      asked.push(...owners);
      return refusal === undefined ? Promise.resolve() : Promise.reject(refusal);
    },
    onRepair: (message) => void told.push(message),
  });
  return { asked, told };
}

test("a lock of another machine is broken by force, once somebody has said that it is dead", async () => {
  const stack = await newStack(new FakeAgent());
  await stack.up(releaseProgram("v1"));
  const lock = await lockFromElsewhere(stack);
  await expect(repairByForce(stack, new Error("no"))).rejects.toThrow("no");
  expect(await stack.lockFiles()).toEqual([lock]);

  const { asked, told } = await repairByForce(stack);
  expect(asked).toEqual([expect.stringContaining("ci@runner-7 (pid 999999")]);
  expect(told).toEqual([expect.stringContaining("Removed the lock of ci@runner-7")]);
  expect(await stack.lockFiles()).toEqual([]);
  await expect(stack.up(releaseProgram("v2"))).resolves.toMatchObject({ changes: { update: 1 } });
});

test("no force breaks the lock of a run that lives on this machine", async () => {
  const agent = new FakeAgent();
  const stack = await newStack(agent);
  await stack.up(releaseProgram("v1"));
  const release = agent.hold("release.apply");
  const holding = stack.up(releaseProgram("v2"));
  await expect(waitFor(() => agent.started.length === 2)).resolves.toBe(true);
  await expect(repairByForce(stack)).rejects.toMatchObject({
    code: "STACK_LOCKED",
    message: expect.stringContaining("lives, on this machine") as unknown,
  });
  release();
  await expect(holding).resolves.toMatchObject({ changes: { update: 1 } });
});

test("a repair after a kill forgets what was begun, and is told", async () => {
  const agent = new FakeAgent();
  const stack = await newStack(agent);
  const cli = await startHeldRun(stack, "--version", "v1");
  const engine = await enginePid(stack);
  cli.kill("SIGKILL");
  process.kill(engine, "SIGKILL");
  await Promise.all([once(cli, "exit"), gone(engine)]);
  expect(await stack.stateText()).toContain('"pending_operations"');
  const { asked, told } = await repairByForce(stack);
  expect(asked).toEqual([]);
  expect(told).toEqual([expect.stringContaining(`(pid ${engine}`)]);
  expect(await stack.stateText()).not.toContain('"pending_operations"');
});

test("a lock of another machine is never removed unasked", async () => {
  const stack = await newStack(new FakeAgent());
  await stack.up(releaseProgram("v1"));
  const lock = await lockFromElsewhere(stack);
  await expect(stack.up(releaseProgram("v2"))).rejects.toMatchObject({
    code: "STACK_LOCKED",
    message: expect.stringContaining("ci@runner-7") as unknown,
  });
  expect(await stack.lockFiles()).toEqual([lock]);
});

test("an aborted run asks the host to cancel, ends as cancelled and leaves no lock", async () => {
  const agent = new FakeAgent();
  const stack = await newStack(agent);
  agent.hold("release.apply");
  const abort = new AbortController();
  const running = stack.up(releaseProgram("v1"), { signal: abort.signal });
  await waitFor(() => agent.started.length === 1);
  abort.abort();
  await expect(running).rejects.toMatchObject({ code: "CANCELLED" });
  expect(agent.cancelled).toBe(1);
  expect(await stack.lockFiles()).toEqual([]);
});

async function waitFor(condition: () => boolean): Promise<boolean> {
  const giveUpAtMs = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > giveUpAtMs) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}
