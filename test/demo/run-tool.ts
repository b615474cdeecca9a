import { spawn } from "node:child_process";
import process from "node:process";

/** How long a command that was told to stop may take, before it is killed. */
const stopGraceMs = 15_000;
const shownLines = 60;

/** A command to run to its end. */
export interface ToolCall {
  readonly file: string;
  readonly args: readonly string[];
  /** @default the folder of this process */
  readonly cwd?: string;
  /** @default the environment of this process */
  readonly env?: NodeJS.ProcessEnv;
  /** Written to its standard input, which is then closed. */
  readonly stdin?: string;
  /** Ends the command: first by SIGINT, as Ctrl-C does. */
  readonly signal: AbortSignal;
}

/** What a command answered. */
export interface ToolResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that ended with another exit code than it should; the message shows what it printed last. */
export class ToolFailure extends Error {
  constructor(call: ToolCall, { code, stdout, stderr }: ToolResult) {
    const printed = `${stdout}${stderr}`.trimEnd().split("\n").slice(-shownLines);
    super(`${call.file} ${call.args.join(" ")}: exit code ${code}\n${printed.map((line) => `  | ${line}`).join("\n")}`);
  }
}

/** Runs a command, in a process group of its own; any exit code is a result. Throws the signal's reason when stopped. */
export async function runTool(call: ToolCall): Promise<ToolResult> {
  call.signal.throwIfAborted();
  const { file, args, cwd, env = process.env, stdin = "", signal } = call;
  const child = spawn(file, args, { cwd, env, detached: true });
  const output = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  child.stdin.on("error", () => undefined); // it may end without reading
  child.stdin.end(stdin);
  const stop = (): void => {
    killGroup(child.pid, "SIGINT");
    setTimeout(() => {
      killGroup(child.pid, "SIGKILL");
    }, stopGraceMs).unref();
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (exitCode) => {
        resolve(exitCode ?? 128);
      });
    });
    signal.throwIfAborted();
    return { code, ...output };
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Like {@link runTool}, but an exit code other than 0 is a {@link ToolFailure}. Returns what it printed on stdout. */
export async function runToolChecked(call: ToolCall): Promise<string> {
  const result = await runTool(call);
  if (result.code !== 0) throw new ToolFailure(call, result);
  return result.stdout.trim();
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
