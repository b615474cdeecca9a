import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { locksFolder } from "./lab-folders.ts";

/** What only one process may do at a time; a holder may ask for one that stands before its own. */
export type LabLock = "machines" | "push" | "registry" | "root" | "engine";

/**
 * Does the work while no other process holds this lock. The kernel keeps it (flock), so it ends with its holder,
 * however that ends.
 */
export const withLabLock = async <T>(lock: LabLock, work: () => Promise<T>): Promise<T> => {
  await mkdir(locksFolder, { recursive: true });
  const args = [join(locksFolder, lock), "sh", "-c", "echo held; exec cat"];
  const holder = spawn("flock", args, { stdio: ["pipe", "pipe", "inherit"] });
  // Either may come first, and only one of them does.
  const ended = once(holder, "close");
  await Promise.race([once(holder.stdout, "data"), ended]);
  if (holder.exitCode !== null) throw new Error(`flock ended with exit code ${holder.exitCode}`);
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended;
  }
};
