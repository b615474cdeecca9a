import { execFile } from "node:child_process";
import type { Dirent } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { isEnvironmentFile, looksSecret } from "../../bundle/compose/secret-look.ts";
import { withoutOwnSecrets } from "../../own-secrets.ts";
import type { EnvironmentFile } from "./lovable-project.ts";
import { secretReason, supabaseHostsIn } from "./public-value.ts";

/** The `.env` files of a project's folder. Values are looked at and not kept. */
export async function readEnvironmentFiles(folder: string): Promise<EnvironmentFile[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter(mayHoldValues).map(({ name }) => name);
  if (names.length === 0) return [];
  const tracked = await trackedFiles(folder, names);
  const found = await Promise.all(
    names.sort().map(async (name) => {
      // A link may lead to nothing, or to a folder.
      const text = await readFile(join(folder, name), "utf8").catch(() => undefined);
      return text === undefined ? [] : [{ isTracked: tracked?.has(name), ...factsOf(name, text) }];
    }),
  );
  return found.flat();
}

/** A folder `.env` is where some keep Python's packages. */
function mayHoldValues(entry: Dirent): boolean {
  return isEnvironmentFile(entry.name) && (entry.isFile() || entry.isSymbolicLink());
}

function factsOf(name: string, text: string): Omit<EnvironmentFile, "isTracked"> {
  const values = Object.entries(parseEnv(text));
  return {
    name,
    names: values.map(([each]) => each).sort(),
    secrets: values.flatMap(([each, value]) => secretOf(each, value ?? "")),
    supabaseHosts: supabaseHostsIn(values.map(([, value]) => value).join("\n")),
  };
}

function secretOf(name: string, value: string): EnvironmentFile["secrets"] {
  const reason = secretReason(value);
  if (reason !== undefined) return [{ name, reason }];
  return !name.startsWith("VITE_") && looksSecret(name, value) ? [{ name, reason: "a secret by its name" }] : [];
}

/** @returns undefined where Git cannot say: it is not there, or the folder is no clone */
function trackedFiles(folder: string, names: readonly string[]): Promise<Set<string> | undefined> {
  return new Promise((resolve) => {
    execFile("git", ["-C", folder, "ls-files", "-z", "--", ...names], { env: withoutOwnSecrets() }, (error, stdout) => {
      resolve(error === null ? new Set(stdout.split("\0").filter((name) => name !== "")) : undefined);
    });
  });
}
