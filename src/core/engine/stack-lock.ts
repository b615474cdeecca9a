import { rm } from "node:fs/promises";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { processExists } from "./process-exists.ts";

/** A lock of Pulumi's DIY backend: a file without a lease, left behind by whoever was killed. */
export const stackLock = z.object({
  /** Where the backend keeps it. */
  url: z.string(),
  user: z.string(),
  hostname: z.string(),
  pid: z.number(),
  createdAt: z.string(),
});
export type StackLock = z.infer<typeof stackLock>;

const lockLine = /^\s*(\S+): created by (.*)@(\S*) \(pid (\d+)\) at (\S+)$/;

/** The locks that the engine names when it finds the stack locked. */
export function parseLocks(text: string): StackLock[] {
  return text.split("\n").flatMap((line) => {
    const [, url, user, host, pid, createdAt] = lockLine.exec(line) ?? [];
    if (url === undefined || user === undefined || host === undefined || pid === undefined || createdAt === undefined)
      return [];
    return [{ url, user, hostname: host, pid: Number(pid), createdAt }];
  });
}

/** Who holds a lock, for people. */
export function lockOwner(lock: StackLock): string {
  return `${lock.user}@${lock.hostname} (pid ${lock.pid}, since ${lock.createdAt})`;
}

/**
 * Whether the owner of a lock is dead beyond doubt: it was a process of this machine and there is none with its
 * number. A lock of another machine, or a number that was given to another process meanwhile, counts as alive.
 */
export function isAbandoned(lock: StackLock): boolean {
  return lock.hostname === hostname() && !processExists(lock.pid);
}

/** Removes just this lock. (`pulumi cancel` would remove every lock of the stack, a living one too.) */
export async function removeLock(lock: StackLock): Promise<boolean> {
  if (!lock.url.startsWith("file://")) return false;
  const path = fileURLToPath(lock.url);
  await rm(path, { force: true });
  // The file store keeps a second file with attributes beside each.
  await rm(`${path}.attrs`, { force: true });
  return true;
}
