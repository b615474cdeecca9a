import { execFile } from "node:child_process";
import { IkomaError } from "../../errors.ts";
import { withoutOwnSecrets } from "../../own-secrets.ts";

/** A compose v2 program: the first words of its command line. */
export type ComposeCommand = readonly [string, ...string[]];

const candidates: readonly ComposeCommand[] = [["docker-compose"], ["docker", "compose"]];
const timeoutMs = 60_000;
const maxOutputBytes = 32 * 1024 * 1024;

/** How a program ended. */
export interface ComposeRun {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * Finds Docker Compose v2 or later: alone (`docker-compose`) or as docker's plugin.
 *
 * @throws IkomaError COMPOSE_MISSING, also when there is only v1, which reads compose files differently.
 */
export async function findCompose(): Promise<ComposeCommand> {
  const old: string[] = [];
  for (const command of candidates) {
    const { code, stdout } = await runCompose(command, ["version", "--short"]);
    const version = /^v?(\d+)\./m.exec(stdout.trim());
    if (code !== 0 || version === null) continue;
    if (Number(version[1]) >= 2) return command;
    old.push(`${command.join(" ")} is version ${stdout.trim()}`);
  }
  const found = old.length === 0 ? "" : ` (${old.join(", ")}, which reads compose files differently)`;
  throw new IkomaError("COMPOSE_MISSING", `Docker Compose v2 is not on PATH${found}.`);
}

/**
 * Runs compose without the settings that its own variables (`COMPOSE_FILE`, `COMPOSE_PROFILES`…) would bring in:
 * a bundle depends on its files and options only. What is secret here no `${…}` of a file can take.
 *
 * @param environment variables besides those of this process.
 */
export function runCompose(
  command: ComposeCommand,
  words: readonly string[],
  { input = "", environment = {} }: { input?: string; environment?: Record<string, string> } = {},
): Promise<ComposeRun> {
  const inherited = Object.entries(withoutOwnSecrets()).filter(([name]) => !name.startsWith("COMPOSE_"));
  const [program, ...first] = command;
  return new Promise((resolve) => {
    const options = {
      env: { ...Object.fromEntries(inherited), ...environment },
      timeout: timeoutMs,
      maxBuffer: maxOutputBytes,
    };
    const child = execFile(program, [...first, ...words], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : 127;
      resolve({ code, stdout, stderr: stderr === "" ? (error?.message ?? "") : stderr });
    });
    // A program that ends without reading its input closes the pipe: its exit code says it all.
    child.stdin?.on("error", () => undefined);
    child.stdin?.end(input);
  });
}
