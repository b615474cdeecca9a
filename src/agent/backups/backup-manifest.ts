import * as z from "zod";
import { backupId, backupLevel, reaches } from "../../core/backup/backup-policy.ts";
import type { BackupLevel } from "../../core/backup/backup-policy.ts";

const storedFile = z.strictObject({
  bytes: z.number().int(),
  /** Hex digits, taken while it was written. */
  sha256: z.string(),
  /** As the file system has it, in ms: one that is the same spares reading the file again. */
  modifiedMs: z.number(),
});
export type StoredFile = z.infer<typeof storedFile>;

const table = z.strictObject({ schema: z.string(), name: z.string(), rows: z.number().int() });
/** A table with the number of its rows. */
export type TableRows = z.infer<typeof table>;

/** What a database has to be made with so that the dump fits into it. */
export const databaseLocale = z.strictObject({
  encoding: z.string(),
  collate: z.string(),
  ctype: z.string(),
  /** `c` libc, `i` ICU, `b` built in; PostgreSQL before 15 knows libc only. */
  provider: z.string().default("c"),
  providerLocale: z.string().optional(),
});
export type DatabaseLocale = z.infer<typeof databaseLocale>;

/** What is said of a backup in its own folder: what is in it, where it is from, and how far it is proven. */
export const backupManifest = z.strictObject({
  format: z.literal(1),
  id: backupId,
  app: z.string(),
  service: z.string(),
  database: z.string(),
  /** Why it was taken, for people. */
  reason: z.string(),
  /** Why it must stay; without it the policy's rules decide. */
  pin: z.string().optional(),
  startedAtMs: z.number(),
  /** The moment of the snapshot: it has what was committed before. */
  takenAtMs: z.number(),
  endedAtMs: z.number(),
  server: z.strictObject({ version: z.string(), major: z.number().int() }),
  /** The image that the server ran from: the reference by digest, and the engine's own id. */
  image: z.strictObject({ reference: z.string(), id: z.string() }),
  locale: databaseLocale,
  /** Libraries that the server has to load at its start. */
  preload: z.string().default(""),
  /** What the database took on disk, in bytes. */
  databaseBytes: z.number(),
  /** Deployment that served at that moment. */
  deployment: z.number().int().optional(),
  /** The last migration that the database had, where it has a history of them. */
  migrationHead: z.string().optional(),
  files: z.strictObject({ dump: storedFile, roles: storedFile }),
  tables: z.array(table),
  /** The furthest level that it passed, when, and how long the restore took. */
  verified: z.strictObject({ level: backupLevel, atMs: z.number(), restoreMs: z.number().optional() }).optional(),
  /** The last verification that failed or could not be run, if it came after what `verified` tells of. */
  failed: z.strictObject({ level: backupLevel, atMs: z.number(), message: z.string() }).optional(),
  /** When a copy elsewhere was read back and found whole, and where it is. */
  offsite: z.strictObject({ atMs: z.number(), to: z.string() }).optional(),
  /** It is known to be of no use any more. */
  damaged: z.strictObject({ atMs: z.number(), message: z.string() }).optional(),
});
export type BackupManifest = z.infer<typeof backupManifest>;

/** Files of a backup beside its manifest. */
export const backupFiles = ["dump", "roles"] as const;

/** Whether it was proven to be of use, at least to `level`, and is not known to be bad. */
export function isProven(backup: BackupManifest, level: BackupLevel): boolean {
  return backup.damaged === undefined && reaches(backup.verified?.level, level);
}

/** It was taken before the clock was put back, and nobody can tell how old it is. */
export function isFromFuture({ takenAtMs }: Pick<BackupManifest, "takenAtMs">): boolean {
  return takenAtMs > Date.now();
}

/**
 * The newest of them that is proven; those of `service` only, where one is named. One from the future is it only where
 * there is no other.
 */
export function newestProven(
  backups: readonly BackupManifest[],
  level: BackupLevel,
  service?: string,
): BackupManifest | undefined {
  const proven = backups.filter((each) => (service === undefined || each.service === service) && isProven(each, level));
  const past = proven.filter((each) => !isFromFuture(each));
  return (past.length > 0 ? past : proven).reduce<BackupManifest | undefined>(
    (newest, each) => (newest === undefined || each.takenAtMs > newest.takenAtMs ? each : newest),
    undefined,
  );
}
