import { closeSync, constants, fsyncSync, openSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Writes a file (0600) that has its name only once it is whole; on disk when this resolves. Its folder must be there. */
export async function writeDurably(path: string, content: string): Promise<void> {
  const unfinished = join(dirname(path), `.${basename(path)}.new`);
  const file = await open(unfinished, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
  const folder = await open(dirname(path), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Brings a file to disk, or the names in a folder: a new name is there only once its folder is. */
export function syncToDisk(path: string): void {
  const file = openSync(path, "r");
  fsyncSync(file);
  closeSync(file);
}
