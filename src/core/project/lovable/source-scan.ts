import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";
import { withoutComments } from "./comments.ts";
import type { SourceVariable } from "./lovable-project.ts";
import { supabaseHostsIn } from "./public-value.ts";

/** What the source says of the world outside of it. */
export interface SourceFacts {
  readonly buildVariables: readonly SourceVariable[];
  readonly runVariables: readonly SourceVariable[];
  readonly hosts: readonly { readonly host: string; readonly file: string }[];
}

const codeEndings = new Set([".ts", ".tsx", ".js", ".jsx", ".mts", ".mjs", ".cts", ".cjs"]);
const notBuilt = /(^|\/)(__tests__|__mocks__|node_modules)(\/|$)|\.(test|spec|stories|d)\.[cm]?[jt]sx?$/;

const buildRead = /import\.meta\.env(?:\.|\[["'`]|\?\.)(VITE_[A-Za-z0-9_]+)(?:["'`]\])?/g;
const runRead = /process\.env(?:\.|\[["'`]|\?\.)([A-Za-z_][A-Za-z0-9_]*)(?:["'`]\])?/g;
/** Given by the image, the engine or the build. */
const alwaysThere = new Set(["NODE_ENV", "PORT", "HOST", "CI", "TZ", "PATH", "HOME", "NITRO_PRESET"]);

/** Whether a file is the client that Lovable generates for Supabase. */
function isSupabaseClient(file: string): boolean {
  return /[/\\]supabase[/\\]client\.[jt]sx?$/.test(file);
}

/**
 * Reads a project's own code (`src/`, and `index.html`, where Vite fills `%VITE_X%` in). Text is looked at, not run:
 * a name that is put together while it runs is not seen.
 */
export async function scanSource(folder: string): Promise<SourceFacts> {
  const [builds, runs, hosts] = [new Reads(), new Reads(), new Map<string, string>()];
  for (const path of await codeFiles(join(folder, "src"))) {
    const file = relative(folder, path).split(sep).join("/");
    const text = withoutComments(await readFile(path, "utf8"));
    builds.add(text, file, buildRead);
    runs.add(text, file, runRead);
    for (const host of supabaseHostsIn(text)) if (!hosts.has(host)) hosts.set(host, file);
  }
  const page = await readFile(join(folder, "index.html"), "utf8").catch(() => "");
  builds.add(page, "index.html", /%(VITE_[A-Za-z0-9_]+)%/g);
  return {
    buildVariables: builds.variables(),
    runVariables: runs.variables().filter(({ name }) => !alwaysThere.has(name)),
    hosts: [...hosts].map(([host, file]) => ({ host, file })),
  };
}

/** Collects by name; a fallback counts only where every place has one. */
class Reads {
  readonly #byName = new Map<string, SourceVariable>();

  add(text: string, file: string, pattern: RegExp): void {
    for (const match of text.matchAll(pattern)) {
      const name = match[1] ?? "";
      const hasFallback = /^\s*(\?\?|\|\||\?\.)/.test(text.slice(match.index + match[0].length));
      const before = this.#byName.get(name);
      this.#byName.set(name, before === undefined ? { name, file, hasFallback } : merged(before, hasFallback));
    }
  }

  variables(): SourceVariable[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

function merged(before: SourceVariable, hasFallback: boolean): SourceVariable {
  return { ...before, hasFallback: before.hasFallback && hasFallback };
}

async function codeFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile() && codeEndings.has(extname(entry.name)))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !notBuilt.test(relative(folder, path).split(sep).join("/")))
    .sort(clientFirst);
}

/** Lovable's Supabase client is in every page: what is found there is named by that file. */
function clientFirst(a: string, b: string): number {
  const rank = (path: string): number => (isSupabaseClient(path) ? 0 : 1);
  return rank(a) - rank(b) || (a < b ? -1 : 1);
}
