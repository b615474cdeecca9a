import { createHash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { IkomaError } from "../errors.ts";
import { lintMigration } from "../migrations/lint/lint-migration.ts";
import type { MigrationFile } from "../migrations/migration-spec.ts";
import { inOrder } from "../migrations/migration-plan.ts";
import { longestFile } from "../release/release-spec.ts";
import { holdsPrivateKey } from "./compose/secret-look.ts";

/** All files together, in characters: the bundle is one document, and travels as a whole. */
const longestFolder = 1024 * 1024;
const fileName = /^(\d{1,20})_(.*)\.sql$/;

interface ReadFile {
  readonly version: string;
  readonly name: string;
  readonly text: string;
}

/**
 * Reads a folder of migrations as Supabase's tools have it (`<digits>_<name>.sql`), in order, each with what the lint
 * found. Files of other endings and folders are left alone.
 *
 * @param path as the compose file has it, for messages
 * @throws IkomaError MIGRATIONS_INVALID with every reason at once
 */
export async function readMigrations(folder: string, path: string): Promise<MigrationFile[]> {
  const names = await sqlFiles(folder, path);
  const problems = [...nameProblems(names)];
  const files: ReadFile[] = [];
  for (const file of names) {
    const [, version = "", name = ""] = fileName.exec(file) ?? [];
    const text = await readText(join(folder, file));
    if (typeof text !== "string") problems.push(`${file} ${text.reason}`);
    else files.push({ version, name, text });
  }
  const size = files.reduce((sum, { text }) => sum + text.length, 0);
  if (size > longestFolder) problems.push(`all files together have ${size} characters, of at most ${longestFolder}`);
  if (problems.length > 0) {
    throw new IkomaError("MIGRATIONS_INVALID", `${path}: ${problems.join("; ")}.`, { details: { problems } });
  }
  const isSupabase = files.some(({ text }) => /\b(anon|authenticated)\b|\bauth\.(uid|jwt|users)\b/.test(text));
  return Promise.all(inOrder(files).map((file) => linted(file, isSupabase)));
}

async function linted({ version, name, text }: ReadFile, isSupabase: boolean): Promise<MigrationFile> {
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { version, name, sha256, text, ...(await lintMigration(text, isSupabase)) };
}

async function sqlFiles(folder: string, path: string): Promise<string[]> {
  const found = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new IkomaError("MIGRATIONS_INVALID", `${path}: there is no such folder.`, { cause });
  });
  return found
    .filter((each) => !each.isDirectory() && each.name.endsWith(".sql"))
    .map(({ name }) => name)
    .sort();
}

function nameProblems(names: readonly string[]): string[] {
  const versions = names.map((name) => fileName.exec(name)?.[1]);
  const bad = names.filter((_, index) => versions[index] === undefined);
  const known = versions.filter((version) => version !== undefined);
  const twice = [...new Set(known.filter((version, index) => known.indexOf(version) !== index))];
  const lengths = new Set(known.map(({ length }) => length));
  return [
    ...bad.map((name) => `${name} is not named like 20260131120000_what_it_does.sql`),
    ...twice.map((version) => `the version ${version} is there twice`),
    // The history is ordered as text: 10 would come before 9.
    ...(lengths.size > 1 ? ["versions have different numbers of digits, so their order is not clear"] : []),
  ];
}

async function readText(file: string): Promise<string | { reason: string }> {
  const found = await stat(file).catch(() => undefined);
  if (found?.isFile() !== true) return { reason: "is no file" };
  if (found.size > longestFile) return { reason: `has ${found.size} bytes, of at most ${longestFile}` };
  const text = decoded(await readFile(file));
  if (text === undefined) return { reason: "is no text in UTF-8" };
  return holdsPrivateKey(text) ? { reason: "holds a private key" } : text;
}

/** Without the mark at its beginning, newlines as on Unix: the same file has the same checksum on every machine. */
function decoded(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes).replaceAll("\r\n", "\n");
  } catch {
    return undefined;
  }
}
