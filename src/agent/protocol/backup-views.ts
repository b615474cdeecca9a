import * as z from "zod";
import { backupId, backupLevel } from "../../core/backup/backup-policy.ts";

/** A backup, as far as it is told outside the host. */
export const backupView = z.strictObject({
  id: backupId,
  service: z.string(),
  database: z.string(),
  reason: z.string(),
  /** Why it stays whatever the rules say. */
  pin: z.string().optional(),
  takenAtMs: z.number(),
  /** Of all its files. */
  bytes: z.number(),
  tables: z.number().int(),
  serverVersion: z.string(),
  deployment: z.number().int().optional(),
  migrationHead: z.string().optional(),
  verified: z.strictObject({ level: backupLevel, atMs: z.number(), restoreMs: z.number().optional() }).optional(),
  failed: z.strictObject({ level: backupLevel, atMs: z.number(), message: z.string() }).optional(),
  damaged: z.strictObject({ atMs: z.number(), message: z.string() }).optional(),
  /** When a copy elsewhere was read back and found whole. */
  offsiteAtMs: z.number().optional(),
});
export type BackupView = z.infer<typeof backupView>;

/** How the backups of an app stand. */
export const backupStatus = z.strictObject({
  /** The newest one that is proven as the policy asks. */
  newestMs: z.number().optional(),
  /** When the host takes the next one by itself. */
  nextMs: z.number().optional(),
  overdueSinceMs: z.number().optional(),
  /** The last run of the schedule, if it failed. */
  lastFailure: z.strictObject({ atMs: z.number(), message: z.string() }).optional(),
  /** Where copies are to be made elsewhere: the newest backup that has one, and the last failure since. */
  offsite: z
    .strictObject({
      newestMs: z.number().optional(),
      lastFailure: z.strictObject({ atMs: z.number(), message: z.string() }).optional(),
    })
    .optional(),
});
export type BackupStatus = z.infer<typeof backupStatus>;

/** Files of a backup, as they are fetched and brought back. */
export const backupFile = z.enum(["dump", "roles", "manifest"]);
export type BackupFileName = z.infer<typeof backupFile>;
/** Of a file of a backup, at once; in base64 it fits into a message. */
export const backupPieceBytes = 1024 * 1024;
