import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import type { StoredFile } from "./backup-manifest.ts";

/** SHA-256 of a file, as hex digits; it is read piece by piece. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex");
}

/** What the manifest would say of a file as it is now. */
export async function factsOf(path: string): Promise<StoredFile> {
  const [{ size, mtimeMs }, sha256] = await Promise.all([stat(path), sha256Of(path)]);
  return { bytes: size, sha256, modifiedMs: mtimeMs };
}

/**
 * Writes what comes to a new file (0600), piece by piece, and brings it to disk. Resolves to what the manifest says of
 * it; a disk that is full is an error of the system (ENOSPC).
 */
export async function writeStream(path: string, source: AsyncIterable<Buffer>): Promise<StoredFile> {
  const hash = createHash("sha256");
  let bytes = 0;
  const file = await open(path, "w", 0o600);
  try {
    for await (const chunk of source) {
      hash.update(chunk);
      bytes += chunk.length;
      await file.writeFile(chunk);
    }
    await file.sync();
    const { mtimeMs } = await file.stat();
    return { bytes, sha256: hash.digest("hex"), modifiedMs: mtimeMs };
  } finally {
    await file.close();
  }
}
