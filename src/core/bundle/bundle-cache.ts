import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { parseBundleDocument } from "./bundle-document.ts";
import type { ParsedBundle } from "./bundle-document.ts";

/** Where bundles that were seen are kept: `$XDG_CACHE_HOME/ikoma/bundles`, by digest. */
export function bundleCacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "ikoma", "bundles");
}

/** A bundle from the cache; undefined when it is not there or was damaged. */
export async function readCached(digest: string): Promise<ParsedBundle | undefined> {
  const file = fileOf(digest);
  try {
    return parseBundleDocument(await readFile(file, "utf8"), file, digest);
  } catch {
    return undefined;
  }
}

/** Keeps a document. A cache that cannot be written costs time, not the run. */
export async function writeCached(digest: string, document: string): Promise<void> {
  await writeAtomically(fileOf(digest), document).catch(() => undefined);
}

/** The signatures that were last seen of a bundle, as {@link writeCachedSignatures} kept them. */
export async function readCachedSignatures(digest: string): Promise<string | undefined> {
  return readFile(signaturesOf(digest), "utf8").catch(() => undefined);
}

/** Keeps signatures, for when the registry does not answer. */
export async function writeCachedSignatures(digest: string, text: string): Promise<void> {
  await writeAtomically(signaturesOf(digest), text).catch(() => undefined);
}

/** Writes a file so that nobody ever reads half of it. */
export async function writeAtomically(file: string, content: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const unfinished = `${file}.${randomBytes(4).toString("hex")}`;
  await writeFile(unfinished, content);
  await rename(unfinished, file);
}

function fileOf(digest: string): string {
  return join(bundleCacheDirectory(), `${digest.replace(":", "-")}.json`);
}

function signaturesOf(digest: string): string {
  return `${fileOf(digest)}.sig`;
}
