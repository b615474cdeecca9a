import { statfs } from "node:fs/promises";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import { runInContainer } from "../engine/container-process.ts";
import type { Host } from "../host.ts";

/** What always stays free: a disk that is full stops the database itself. In bytes. */
export const reserveBytes = 256 * 1024 * 1024;

/** What is asked for, where, and what there is. In bytes. */
export interface Room {
  readonly what: string;
  readonly neededBytes: number;
  readonly freeBytes: number;
}

/**
 * How large a dump may become: compressed it is hardly ever more than the database takes, and not much more than the last
 * one, but for what the database has grown since.
 */
export function expectedDumpBytes(
  databaseBytes: number,
  last: { readonly dumpBytes: number; readonly databaseBytes: number } | undefined,
): number {
  if (last === undefined) return databaseBytes;
  const growth = Math.max(1, databaseBytes / last.databaseBytes);
  return Math.min(databaseBytes, Math.ceil(last.dumpBytes * growth * 1.5));
}

/** @throws DISK_FULL where too little would be left over */
export function requireRoom({ what, neededBytes, freeBytes }: Room): void {
  if (freeBytes - neededBytes >= reserveBytes) return;
  const [needed, free, reserve] = [neededBytes, freeBytes, reserveBytes].map((each) => `${Math.ceil(each / 1e6)} MB`);
  throw new IkomaError(
    "DISK_FULL",
    `${what} may need ${needed ?? ""} of disk; ${free ?? ""} are free, of which ${reserve ?? ""} stay free.`,
  );
}

/** Free bytes where a folder is. */
export async function freeBytesAt(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

/** Free bytes where the engine keeps volumes, as the database's own container sees it: its data folder is in one. */
export async function freeBytesOfVolumes(host: Host, container: string, signal: AbortSignal): Promise<number> {
  const script = 'df -Pk "${PGDATA:-/var/lib/postgresql}"';
  const { code, output, errors } = await runInContainer(host, { container, command: ["sh", "-c", script] }, signal);
  const kilobytes = z.coerce.number().int().safeParse(output.split("\n").at(-1)?.split(/\s+/)[3]);
  if (code !== 0 || !kilobytes.success) throw new Error(`the free disk of the volumes cannot be told: ${errors}`);
  return kilobytes.data * 1024;
}
