import { spawn } from "node:child_process";
import { IkomaError } from "../../core/errors.ts";

/** Where the agent's image has compose; another place for tests. */
export const defaultComposeBinary = "docker-compose";

const longestOutputBytes = 256 * 1024;

/** A compose project as it is given to compose: services resolved, networks and volumes external. */
export interface ComposeProject {
  name: string;
  services: Record<string, Record<string, unknown>>;
  networks: Record<string, { name: string; external: true }>;
  volumes: Record<string, { name: string; external: true }>;
}

/** Runs compose. The project goes in on standard input: its environment holds secrets, which belong on no disk and in no argument. */
export class Compose {
  readonly #binary: string;

  constructor(binary = defaultComposeBinary) {
    this.#binary = binary;
  }

  /** Starts the named services, recreating those whose definition changed. Throws COMPOSE_INVALID with compose's own words. */
  async up(project: ComposeProject, services: readonly string[], signal?: AbortSignal): Promise<void> {
    if (services.length === 0) return;
    const command = ["-p", project.name, "-f", "-", "up", "--detach", "--no-build", "--pull", "never", "--no-deps", "--no-color", "--quiet-pull", ...services];
    const { code, output } = await this.#run(command, JSON.stringify(escapeDollars(project)), signal);
    if (code === 0) return;
    throw new IkomaError("COMPOSE_INVALID", `compose could not start ${services.join(", ")}: ${lastLine(output)}`, {
      details: { output: output.slice(-2000) },
    });
  }

  /** Compose's version, as `2.40.0`. */
  async version(): Promise<string> {
    const { output } = await this.#run(["version", "--short"], "");
    return output.trim();
  }

  #run(args: string[], input: string, signal?: AbortSignal): Promise<{ code: number; output: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(this.#binary, args, { stdio: ["pipe", "pipe", "pipe"], ...(signal === undefined ? {} : { signal }) });
      let output = "";
      const collect = (chunk: Buffer): void => {
        output = (output + chunk.toString("utf8")).slice(-longestOutputBytes);
      };
      child.stdout.on("data", collect);
      child.stderr.on("data", collect);
      child.on("error", (error) => {
        reject(new IkomaError("HOST_NOT_READY", `compose does not run: ${error.message}`, { cause: error }));
      });
      child.on("close", (code) => {
        resolve({ code: code ?? -1, output });
      });
      child.stdin.on("error", () => undefined); // It ended before it read all; its exit code tells.
      child.stdin.end(input);
    });
  }
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

function lastLine(output: string): string {
  return output.trim().split("\n").at(-1) ?? "it gave no reason";
}
