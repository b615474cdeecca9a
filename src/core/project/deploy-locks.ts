import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { backendFolder } from "../engine/backend.ts";
import { isAbandoned, type StackLock } from "../engine/stack-lock.ts";
import type { DeployProject } from "./deploy-project.ts";

const lockFile = z.object({ pid: z.number(), username: z.string(), hostname: z.string(), timestamp: z.string() });

/** A lock of a stack, and whether its owner is dead beyond doubt: then the next run takes it over. */
export interface HeldLock extends StackLock {
  readonly isAbandoned: boolean;
}

/**
 * Who holds a stack, read from the lock files of a `file://` backend.
 *
 * @returns undefined for other backends: only the engine could tell
 */
export async function readLocks(project: DeployProject): Promise<HeldLock[] | undefined> {
  const folder = backendFolder(project);
  if (folder === undefined) return undefined;
  const place = join(folder, ".pulumi", "locks", "organization", project.name, project.stackName);
  const names = await readdir(place).catch(() => []);
  // Beside each lock the store keeps a file `….json.attrs`.
  const lockNames = names.filter((name) => name.endsWith(".json"));
  const locks = await Promise.all(lockNames.map((name) => readLock(join(place, name))));
  return locks.flat();
}

/** Empty where the run ended between the listing and now. */
async function readLock(path: string): Promise<HeldLock[]> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return [];
  const { pid, username, hostname, timestamp } = lockFile.parse(JSON.parse(text));
  const lock: StackLock = { url: `file://${path}`, user: username, hostname, pid, createdAt: timestamp };
  return [{ ...lock, isAbandoned: isAbandoned(lock) }];
}
