import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { IkomaError } from "../../core/errors.ts";

/** Where the agent's image has compose; another place for tests. */
export const defaultComposeBinary = "docker-compose";

const longestOutputBytes = 256 * 1024;
/** What of its output an error quotes, in characters. */
const quotedLength = 2000;
/** Images are there already and nothing is waited for, so this is far more than it needs. */
const longestRunMs = 10 * 60_000;
/** How long compose may take to stop when it is told to, in milliseconds. */
const killAfterMs = 5000;

/** A compose project as it is given to compose: services resolved, networks and volumes external. */
export interface ComposeProject {
  name: string;
  services: Record<string, Record<string, unknown>>;
  networks: { default: { name: string; external: true } };
  volumes: Record<string, { name: string; external: true }>;
}

/** Runs compose. The project goes in on standard input: its environment holds secrets, which belong on no disk and in no argument. */
export class Compose {
  readonly #binary: string;

  constructor(binary = defaultComposeBinary) {
    this.#binary = binary;
  }

  /**
   * Starts the named services, recreating those whose definition changed (by compose's own labels), or, with `anew`,
   * all of them. Throws COMPOSE_INVALID with compose's own words.
   */
  async up(project: ComposeProject, services: readonly string[], signal?: AbortSignal, anew = false): Promise<void> {
    if (services.length === 0) return;
    const options = [
      "--detach",
      "--no-build",
      "--pull",
      "never",
      "--no-deps",
      "--no-color",
      ...(anew ? ["--force-recreate"] : []),
      "--quiet-pull",
    ];
    const command = ["-p", project.name, "-f", "-", "up", ...options, ...services];
    const { code, output } = await this.#run(command, JSON.stringify(escapeDollars(project)), signal);
    if (code === 0) return;
    throw new IkomaError("COMPOSE_INVALID", `compose could not start ${services.join(", ")}: ${lastLine(output)}`, {
      details: { output: lastLines(output, quotedLength) },
    });
  }

  /** Compose's version, as `2.40.0`. */
  async version(): Promise<string> {
    const { output } = await this.#run(["version", "--short"], "");
    return output.trim();
  }

  #run(args: string[], input: string, signal?: AbortSignal): Promise<{ code: number; output: string }> {
    return new Promise((resolve, reject) => {
      const limit = AbortSignal.timeout(longestRunMs);
      const ended = AbortSignal.any([limit, ...(signal === undefined ? [] : [signal])]);
      const child = spawn(this.#binary, args, { stdio: ["pipe", "pipe", "pipe"] });
      // Waited for even then: what it is just creating has to be there before anybody cleans up.
      const stop = stopOnAbort(child, ended);
      let output = "";
      const collect = (chunk: string): void => {
        output = (output + chunk).slice(-longestOutputBytes);
      };
      // Decoded over the chunks: a secret with half a letter in it would not be found and masked.
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", collect);
      child.on("error", (error) => {
        stop();
        reject(new IkomaError("HOST_NOT_READY", `compose does not run: ${error.message}`, { cause: error }));
      });
      child.on("exit", () => {
        // Its output matters no more, and a process that it left behind may keep that open.
        if (signal?.aborted === true) reject(new IkomaError("CANCELLED", "compose was stopped."));
        else if (limit.aborted)
          reject(new IkomaError("TIMEOUT", `compose did not end within ${longestRunMs / 60_000} min.`));
        if (ended.aborted) for (const stream of [child.stdout, child.stderr]) stream.destroy();
      });
      child.on("close", (code) => {
        stop();
        resolve({ code: code ?? -1, output });
      });
      child.stdin.on("error", () => undefined); // It ended before it read all; its exit code tells.
      child.stdin.end(input);
    });
  }
}

/** Ends the process when the signal says so; gives what stops the waiting for that. */
function stopOnAbort(child: ChildProcess, signal: AbortSignal): () => void {
  let killing: NodeJS.Timeout | undefined;
  const end = (): void => {
    child.kill("SIGTERM");
    killing = setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  };
  if (signal.aborted) end();
  else signal.addEventListener("abort", end, { once: true });
  return () => {
    clearTimeout(killing);
    signal.removeEventListener("abort", end);
  };
}

/** Compose interpolates what it reads; everything here is resolved already, so each `$` is meant. */
function escapeDollars(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("$", "$$$$");
  if (Array.isArray(value)) return value.map(escapeDollars);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, escapeDollars(each)]));
  }
  return value;
}

/** The end of a text, in whole lines (none where the last is too long): a secret that is cut in half would not be found and masked. */
function lastLines(output: string, length: number): string {
  if (output.length <= length) return output;
  const tail = output.slice(-length - 1);
  const firstBreak = tail.indexOf("\n");
  return firstBreak === -1 ? "" : tail.slice(firstBreak + 1);
}

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "it gave no reason";
}
