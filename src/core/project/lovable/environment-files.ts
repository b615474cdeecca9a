import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import { isEnvironmentFile, looksSecret } from "../../bundle/compose/secret-look.ts";
import type { EnvironmentFile } from "./lovable-project.ts";
import { secretReason, supabaseHostsIn } from "./public-value.ts";

/** The `.env` files of a project's folder. Values are looked at and not kept. */
export async function readEnvironmentFiles(folder: string): Promise<EnvironmentFile[]> {
  const names = (await readdir(folder)).filter(isEnvironmentFile).sort();
  if (names.length === 0) return [];
  const tracked = await trackedFiles(folder, names);
  return Promise.all(
    names.map(async (name) => {
      const values = Object.entries(parseEnv(await readFile(join(folder, name), "utf8")));
      return {
        name,
        isTracked: tracked?.has(name),
        names: values.map(([each]) => each).sort(),
        secrets: values.flatMap(([each, value]) => secretOf(each, value ?? "")),
        supabaseHosts: supabaseHostsIn(values.map(([, value]) => value).join("\n")),
      };
    }),
  );
}

function secretOf(name: string, value: string): EnvironmentFile["secrets"] {
  const reason = secretReason(value);
  if (reason !== undefined) return [{ name, reason }];
  const isPublic = name.startsWith("VITE_") || /(PUBLISHABLE|ANON)_KEY$/.test(name);
  return !isPublic && looksSecret(name, value) ? [{ name, reason: "a secret by its name" }] : [];
}

/** @returns undefined where Git cannot say: it is not there, or the folder is no clone */
function trackedFiles(folder: string, names: readonly string[]): Promise<Set<string> | undefined> {
  return new Promise((resolve) => {
    execFile("git", ["-C", folder, "ls-files", "-z", "--", ...names], (error, stdout) => {
      resolve(error === null ? new Set(stdout.split("\0").filter((name) => name !== "")) : undefined);
    });
  });
}
