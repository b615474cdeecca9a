import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import type { Server } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { readState } from "../../src/core/engine/stack-state.ts";
import { OperationRunner } from "../../src/agent/operations/operation-runner.ts";
import { serve } from "../../src/agent/rpc-server.ts";
import { TestHost } from "../doubles/host/host.ts";
import { agentAt, imageOf, wholeApp } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const seed = Number(process.env["KILL_SEED"] ?? 20261126);
const rounds = Number(process.env["KILL_ROUNDS"] ?? 5);
const stacks: TestStack[] = [];
let on: TestHost;
let server: Server;

beforeEach(async () => {
  on = await TestHost.create();
  on.engine.images.set(imageOf("1"), { ports: [8080] });
  on.engine.images.set(imageOf("2"), {});
  server = serve(on.host, new OperationRunner(on.host), Promise.resolve());
  await once(server, "listening");
});

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
  server.close();
  await on.dispose();
});

async function newStack(): Promise<TestStack> {
  const stack = await TestStack.create({});
  stacks.push(stack);
  return stack;
}

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
function randomNumbers(start: number): () => number {
  let state = start;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function startWholeRun(stack: TestStack, app: string): ChildProcess {
  const script = join(import.meta.dirname, "whole-run.ts");
  const args = [script, "--workDir", stack.workDir, "--socket", on.host.paths.socket, "--app", app];
  return spawn("node", args, { env: { ...process.env, ...stack.env, NODE_OPTIONS: "" }, stdio: "ignore" });
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return text.split(" ").filter(Boolean).map(Number);
}

async function kill(pid: number): Promise<void> {
  try {
    process.kill(pid, "SIGKILL");
    for (;;) {
      process.kill(pid, 0);
      await sleep(5);
    }
  } catch {
    // It is no more.
  }
}

/** Kills the command and its engines, in one order or the other, up to 60 ms apart. */
async function killBoth(command: ChildProcess, random: () => number): Promise<void> {
  const pid = command.pid ?? 0;
  const engines = await childrenOf(pid);
  const isEngineFirst = random() < 0.5;
  const apartMs = random() < 0.5 ? 0 : random() * 60;
  const killCommand = async (): Promise<void> => {
    command.kill("SIGKILL");
    if (command.exitCode === null && command.signalCode === null) await once(command, "exit");
  };
  const killEngines = (): Promise<unknown> => Promise.all(engines.map(kill));
  const [first, second] = isEngineFirst ? [killEngines, killCommand] : [killCommand, killEngines];
  const begun = first();
  if (apartMs > 0) await sleep(apartMs);
  await Promise.all([begun, second()]);
  // Started in the very moment.
  await Promise.all((await childrenOf(pid)).map(kill));
}

test(`a first up that is killed at any moment, with its engine, is followed by one that goes through (seed ${seed})`, async () => {
  const random = randomNumbers(seed);
  // How long a whole run takes here and now: the moments are spread over it.
  const whole = await newStack();
  const startedMs = performance.now();
  await once(startWholeRun(whole, "whole"), "exit");
  const wholeMs = performance.now() - startedMs;

  for (let round = 0; round < rounds; round += 1) {
    const [stack, app] = [await newStack(), `shop${round}`];
    const atMs = wholeMs * ((round + random()) / rounds);
    const command = startWholeRun(stack, app);
    await sleep(atMs);
    await killBoth(command, random);

    const before = await stack.stateText().catch(() => "no state");
    const when = `round ${round}, killed after ${Math.round(atMs)} of ${Math.round(wholeMs)} ms`;
    const more = { access: agentAt(on.host.paths.socket) };
    const outcome = await stack.up(wholeApp(app), more).then(
      () => ({ when }),
      (error: unknown) => ({ when, error, before }),
    );
    expect(outcome).toEqual({ when });
    const again = await stack.preview(wholeApp(app), more);
    expect({ when, locks: await stack.lockFiles(), changes: again.changes }).toEqual({
      when,
      locks: [],
      changes: { create: 0, update: 0, delete: 0, same: 4 },
    });
    expect({ when, state: await stack.stateText() }).toEqual({
      when,
      state: expect.not.stringContaining("pending_operations") as unknown,
    });
    // However often it was asked for: one release, made once.
    expect({ when, made: on.host.deployments.history(app, 9).map(({ status }) => status) }).toEqual({
      when,
      made: ["current"],
    });
  }
}, 600_000);

test("a state beside which a killed engine left an empty file is read", async () => {
  const stack = await newStack();
  const more = { access: agentAt(on.host.paths.socket) };
  await stack.up(wholeApp("shop"), more);
  const files = await readdir(stack.stateDir, { recursive: true });
  const attributes = files.filter((name) => name.endsWith(".attrs") && !/history|backups/.test(name));
  expect(attributes).toEqual(expect.arrayContaining([expect.stringMatching(/stacks.*dev\.json\.attrs$/)]));
  for (const name of attributes) await writeFile(join(stack.stateDir, name), "");

  expect(await readState({ workDir: stack.workDir, stackName: "dev", env: stack.env })).not.toEqual([]);
  for (const name of attributes) await writeFile(join(stack.stateDir, name), "");
  const { changes } = await stack.up(wholeApp("shop"), more);
  expect(changes).toEqual({ create: 0, update: 0, delete: 0, same: 4 });
}, 120_000);
