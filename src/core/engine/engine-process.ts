import { spawn } from "node:child_process";
import { IkomaError } from "../errors.ts";

/** How a process of the engine ended. */
export interface EngineExit {
  code: number;
  stderr: string;
}

export interface EngineProcess {
  readonly pid: number | undefined;
  readonly exit: Promise<EngineExit>;
}

/** How to start the engine. */
export interface EngineCommand {
  args: readonly string[];
  workDir: string;
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal | undefined;
}

/** Longer output is cut: it is only read for its last words. */
const keptOutputBytes = 1024 * 1024;

/**
 * Starts `pulumi`. It gets a process group of its own: Ctrl-C on a terminal goes to the whole group, and the
 * engine takes a second SIGINT for "stop at once". So this process hears it and passes on exactly one.
 */
export function startEngine({ args, workDir, env, signal }: EngineCommand): EngineProcess {
  // Its output is not read (events tell more), and a pipe would end it by SIGPIPE when this process is killed, before it gives up its lock.
  const child = spawn("pulumi", args, { cwd: workDir, env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  const stderr = collect(child.stderr);
  const interrupt = (): void => {
    child.kill("SIGINT");
  };
  signal?.addEventListener("abort", interrupt, { once: true });
  const exit = new Promise<EngineExit>((resolve, reject) => {
    child.once("error", (error) => {
      reject(missingEngine(error));
    });
    child.once("close", (code) => {
      signal?.removeEventListener("abort", interrupt);
      resolve({ code: code ?? -1, stderr: stderr() });
    });
  });
  return { pid: child.pid, exit };
}

/** Runs a short command of the engine to its end. */
export function runEngine(command: EngineCommand): Promise<EngineExit> {
  return startEngine(command).exit;
}

function collect(stream: NodeJS.ReadableStream): () => string {
  let text = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    text = (text + chunk).slice(-keptOutputBytes);
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
