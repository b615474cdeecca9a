import { spawn, type ChildProcess } from "node:child_process";
import { readFile } from "node:fs/promises";
import process from "node:process";
import { waitUntil } from "../../lab/wait-until.ts";

/** A command that ended by itself or by a signal. */
export interface EndedCommand {
  /** Exit code; undefined where a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to start a command. */
export interface CommandStart {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
}

const deadlineMs = 120_000;

/** A command as a process of its own, with no terminal and nothing on its standard input. */
export class RunningCommand implements AsyncDisposable {
  readonly ended: Promise<EndedCommand>;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #output = { stdout: "", stderr: "" };
  #isOver = false;

  constructor({ file, args, cwd, env }: CommandStart) {
    const child = spawn(file, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    this.pid = child.pid ?? 0;
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#output.stderr += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
    this.ended = new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) => {
        clearTimeout(timer);
        this.#isOver = true;
        resolve({ code: code ?? undefined, signal: signal ?? undefined, ...this.#output });
      });
    });
    // Whoever awaits it gets the error; a command that is only killed has nobody who does.
    this.ended.catch(() => undefined);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** What it has printed so far. */
  get output(): Readonly<{ stdout: string; stderr: string }> {
    return this.#output;
  }

  /** SIGKILL, for this process alone. Resolves when it is dead. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await new Promise<void>((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve();
      else
        this.#child.once("exit", () => {
          resolve();
        });
    });
  }

  /** Processes that it started and that live. */
  async children(): Promise<number[]> {
    const text = await readFile(`/proc/${this.pid}/task/${this.pid}/children`, "utf8");
    return text.split(" ").filter(Boolean).map(Number);
  }

  /** Kills it and what it started, if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    const children = await this.children().catch(() => []);
    await this.kill();
    for (const pid of children) await killProcess(pid);
  }
}

/** SIGKILL; resolves when there is no such process any more. */
export async function killProcess(pid: number): Promise<void> {
  if (!(pid > 1)) throw new Error(`${pid} is no process to kill`);
  if (isAlive(pid)) process.kill(pid, "SIGKILL");
  await processEnd(pid);
}

/** Waits until a process that is not a child of this one has ended. */
export async function processEnd(pid: number): Promise<void> {
  await waitUntil(`process ${pid} has ended`, () => !isAlive(pid), { deadlineMs: 30_000 });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
