import { spawn } from "node:child_process";
import { IkomaError } from "../errors.ts";
import { withoutOwnSecrets } from "../own-secrets.ts";
import { removeTornAttributes } from "./backend.ts";
import { engineFailure } from "./engine-errors.ts";

/** How a process of the engine ended. */
export interface EngineExit {
  code: number;
  stderr: string;
}

/** An engine that was started. */
export interface EngineProcess {
  readonly exit: Promise<EngineExit>;
}

/** How to start the engine. */
export interface EngineCommand {
  args: readonly string[];
  workDir: string;
  /** Added to this process's environment. */
  env?: NodeJS.ProcessEnv | undefined;
  signal?: AbortSignal | undefined;
}

/** Longer output is cut: it is only read for its last words. */
const keptOutputBytes = 1024 * 1024;

/**
 * Starts `pulumi`. It gets a process group of its own: Ctrl-C on a terminal goes to the whole group, and the
 * engine takes a second SIGINT for "stop at once". So this process hears it and passes on exactly one.
 */
export async function startEngine({ args, workDir, env, signal }: EngineCommand): Promise<EngineProcess> {
  const environment = await readyEnvironment(workDir, env);
  // Its output is not read (events tell more), and a pipe would end it by SIGPIPE when this process is killed, before it gives up its lock.
  const child = spawn("pulumi", args, {
    cwd: workDir,
    env: environment,
    stdio: ["ignore", "ignore", "pipe"],
    detached: true,
  });
  const stderr = collect(child.stderr, keptOutputBytes);
  const interrupt = (): void => {
    child.kill("SIGINT");
  };
  signal?.addEventListener("abort", interrupt, { once: true });
  if (signal?.aborted === true) interrupt();
  const exit = new Promise<EngineExit>((resolve, reject) => {
    child.once("error", (error) => {
      reject(missingEngine(error));
    });
    child.once("close", (code) => {
      signal?.removeEventListener("abort", interrupt);
      resolve({ code: code ?? -1, stderr: stderr() });
    });
  });
  return { exit };
}

/** Runs a short command of the engine to its end. */
export async function runEngine(command: EngineCommand): Promise<EngineExit> {
  const { exit } = await startEngine(command);
  return exit;
}

/**
 * Runs a short command of the engine for what it prints.
 *
 * @param command with `input` for its standard input: an argument would be seen by everybody on this machine
 * @throws ENGINE_MISSING; what the engine says, as {@link engineFailure} has it
 */
export async function askEngine(command: EngineCommand & { input?: string }): Promise<string> {
  const { args, workDir, input = "" } = command;
  const env = await readyEnvironment(workDir, command.env);
  const child = spawn("pulumi", args, { cwd: workDir, env, stdio: ["pipe", "pipe", "pipe"] });
  const stdout = collect(child.stdout, Infinity);
  const stderr = collect(child.stderr, keptOutputBytes);
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      reject(missingEngine(error));
    });
    child.once("close", (code) => {
      if (code === 0) resolve(stdout());
      else reject(engineFailure([stderr()]));
    });
    // It may end without reading, where it has something to say against it.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}

/** What the engine is started with, after what would keep it from reading its state was put away. */
async function readyEnvironment(workDir: string, more: NodeJS.ProcessEnv = {}): Promise<NodeJS.ProcessEnv> {
  const env = withoutOwnSecrets({ ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true", ...more });
  await removeTornAttributes(workDir, env);
  return env;
}

function collect(stream: NodeJS.ReadableStream, keptBytes: number): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    text = (text + chunk).slice(-keptBytes);
  });
  return () => text;
}

function missingEngine(error: Error & { code?: string }): IkomaError {
  if (error.code !== "ENOENT")
    return new IkomaError("ENGINE_FAILED", `pulumi could not be started: ${error.message}`, { cause: error });
  return new IkomaError(
    "ENGINE_MISSING",
    "The command `pulumi` was not found (or the working directory does not exist).",
    { cause: error },
  );
}
