import { execFile } from "node:child_process";
import process from "node:process";
import type { SecretSource } from "../../config/schema.ts";
import { IkomaError } from "../../errors.ts";
import { withoutOwnSecrets } from "../../own-secrets.ts";

/** Secrets of one app: where each is from, by name. */
export type SecretSources = Readonly<Record<string, SecretSource>>;

/** Where secrets are looked up. */
export interface SecretPlace {
  /** @default that of the process */
  readonly env?: NodeJS.ProcessEnv;
  /** Folder in which commands run. @default that of the process */
  readonly folder?: string;
  /** The plan is made offline: no command is run, no store is asked. */
  readonly offline?: boolean;
  /** What the store has for the app, by variable; `readStoredSecrets` reads it for all apps at once. */
  readonly stored?: Readonly<Record<string, string>> | undefined;
  /** How long a command may take, in ms. @default 30_000 */
  readonly timeoutMs?: number;
}

const commandTimeoutMs = 30_000;
const maxBytes = 64 * 1024;

/**
 * The values of an app's secrets: those that the configuration holds, those of environment variables, those that a
 * command (`op read …`, `sops -d …`) prints, without the line break at its end, those of the store. A command runs
 * once, without a shell.
 *
 * @throws CONFIG_MISSING naming the secret and its source, CONFIG_INVALID for a command or the store in an offline
 *   plan; nothing that a command printed as a value is ever told
 */
export async function readSecrets(
  app: string,
  sources: SecretSources,
  place: SecretPlace = {},
): Promise<Record<string, string>> {
  const running = new Map<string, Promise<string>>();
  const values = Object.entries(sources).map(async ([name, source]) => {
    if (typeof source === "string") return [name, source] as const;
    const key = `ikoma:secrets.${app}.${name}`;
    if ("env" in source) return [name, ofVariable(key, source.env, place.env ?? process.env)] as const;
    if ("store" in source) return [name, ofStore(key, name, place)] as const;
    if (place.offline === true) throw offlineRefusal(key, "no command is run");
    const line = JSON.stringify(source.command);
    const printed = running.get(line) ?? ofCommand(source.command, place);
    running.set(line, printed);
    return [
      name,
      await printed.catch((error: unknown) => Promise.reject(withKey(key, source.command, error))),
    ] as const;
  });
  return Object.fromEntries(await Promise.all(values));
}

function ofVariable(key: string, variable: string, env: NodeJS.ProcessEnv): string {
  const value = env[variable];
  if (value !== undefined && value !== "") return value;
  throw new IkomaError("CONFIG_MISSING", `${key}: the environment variable ${variable} is not set.`, {
    hint: `Set ${variable} where this runs (in CI: as a secret of the job).`,
  });
}

function ofStore(key: string, variable: string, { offline, stored = {} }: SecretPlace): string {
  if (offline === true) throw offlineRefusal(key, "the store is not asked");
  const value = stored[variable];
  if (value === undefined) throw new TypeError(`${key} was not read from the store`);
  return value;
}

/** The settings of an offline plan may be a pull request's. */
function offlineRefusal(key: string, what: string): IkomaError {
  return new IkomaError("CONFIG_INVALID", `${key}: ${what} for an offline plan.`, {
    hint: "Whoever wrote the settings that are planned would say what runs here, and what is asked where. Take the secret from the environment (`env`) or keep its value, encrypted.",
  });
}

class CommandFailure extends Error {}

function ofCommand([file = "", ...args]: readonly string[], place: SecretPlace): Promise<string> {
  const { env = process.env, folder, timeoutMs = commandTimeoutMs } = place;
  return new Promise((resolve, reject) => {
    const limits = { timeout: timeoutMs, maxBuffer: maxBytes, encoding: "utf8" } as const;
    const child = execFile(
      file,
      args,
      { env: withoutOwnSecrets(env), cwd: folder, ...limits },
      (error, stdout, stderr) => {
        if (error !== null) {
          reject(new CommandFailure(reasonOf(error, stderr, timeoutMs)));
          return;
        }
        const value = stdout.replace(/\r?\n$/, "");
        if (value === "") reject(new CommandFailure("printed nothing"));
        else resolve(value);
      },
    );
    // A tool that would ask for a password finds nobody.
    child.stdin?.end();
  });
}

function reasonOf(error: Error & { code?: unknown; killed?: boolean }, stderr: string, timeoutMs: number): string {
  if (error.code === "ENOENT") return "is not installed";
  if (error.code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return `printed more than ${maxBytes / 1024} KiB`;
  if (error.killed === true) return `did not end within ${timeoutMs / 1000} s`;
  const said = stderr.trim().split("\n").at(-1) ?? "";
  const code = typeof error.code === "number" ? `ended with ${error.code}` : "failed";
  return said === "" ? code : `${code}: ${said}`;
}

/** The command's arguments name a secret, they are none; the message shows them so that it can be tried by hand. */
function withKey(key: string, command: readonly string[], error: unknown): IkomaError {
  const reason = error instanceof Error ? error.message : String(error);
  return new IkomaError("CONFIG_MISSING", `${key}: \`${command.join(" ")}\` ${reason}.`, {
    hint: "Run the command by hand in the project's folder; log in to what it asks, or correct it in the settings.",
    cause: error,
  });
}
