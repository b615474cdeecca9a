import * as z from "zod";
import { serviceName } from "../release/release-spec.ts";
import { timeZone } from "../config/time-zone.ts";
import { cronOf } from "./cron-expression.ts";

/** How far a backup was verified, each including those before it. */
export const backupLevels = ["checksum", "list", "restore", "compare"] as const;
export const backupLevel = z.enum(backupLevels);
export type BackupLevel = z.infer<typeof backupLevel>;

/** Whether a backup that was verified to `reached` (undefined: not at all) does where `wanted` is asked for. */
export function reaches(reached: BackupLevel | undefined, wanted: BackupLevel): boolean {
  return reached !== undefined && backupLevels.indexOf(reached) >= backupLevels.indexOf(wanted);
}

/** Name of a backup: the moment of its snapshot in UTC, and six digits that make it the only one. */
export const backupId = z.string().regex(/^\d{8}T\d{6}Z-[0-9a-f]{6}$/, "an id such as 20261126T030000Z-4f2a1b");

const count = z.number().int().min(0).max(1000);

/** Which verified backups stay: of each hour, day, week and month the newest one, for so many of them. */
export const keepRules = z.strictObject({
  last: count.min(1).default(3).describe("The newest ones, whenever they were taken."),
  hourly: count.default(0).describe("For so many hours the newest of each."),
  daily: count.default(7).describe("For so many days the newest of each."),
  weekly: count.default(4).describe("For so many weeks (from Monday) the newest of each."),
  monthly: count.default(6).describe("For so many months the newest of each."),
});
export type KeepRules = z.infer<typeof keepRules>;

/** Where copies go that are on no disk of the host. */
export const offsitePolicy = z.strictObject({
  endpoint: z.url({ protocol: /^https?$/ }).describe("Address of the S3-compatible storage: `https://s3.example.com`."),
  bucket: z
    .string()
    .min(1)
    .describe("Bucket, which is there already; best one that lets nothing be deleted or overwritten for a while."),
  region: z.string().default("us-east-1").describe("Region, as the storage names it."),
  prefix: z.string().default("").describe("Beginning of the objects' names, before `APP/ID/`."),
  accessKeyId: z.string().min(1).describe("Id of the access key, which has to allow to write and read objects."),
  secret: z
    .string()
    .default("BACKUP_S3_SECRET")
    .describe("Name in `ikoma:secrets` of the app under which the access key's secret is."),
  recipient: z
    .string()
    .regex(/^age1[0-9a-z]{58}$/, "a recipient of age: `age1…`, as `age-keygen` prints it")
    .describe(
      "Public key of age that copies are encrypted for before they leave the host; the identity that opens them is never there.",
    ),
});
export type OffsitePolicy = z.infer<typeof offsitePolicy>;

/** How the database of an app is backed up. */
export const backupPolicy = z.strictObject({
  database: serviceName
    .optional()
    .describe("Service of the compose file that is the PostgreSQL database; without it the only one that is."),
  maxAgeMinutes: z
    .number()
    .positive()
    .max(365 * 24 * 60)
    .default(60)
    .describe(
      "A deploy that changes something goes on with a verified backup of at most this age, or takes one first.",
    ),
  level: backupLevel
    .default("compare")
    .describe(
      "How far a backup is verified before it counts: `checksum` (its file is whole), `list` (its contents can be listed), `restore` (restored into a throwaway server of the same image), `compare` (there, every table has the rows that it had).",
    ),
  schedule: z
    .string()
    .refine((text) => cronOf(text) !== undefined, "`hourly`, `daily 03:00`, `weekly sunday 03:00` or five cron fields")
    .optional()
    .describe(
      "When the host takes one by itself: `hourly`, `daily 03:00`, `weekly sunday 03:00`, or a cron expression of five fields. Without it only deploys and `ikoma backup create` take one.",
    ),
  timeZone: timeZone.default("UTC").describe("Time zone of `schedule`, and of the days that `keep` counts."),
  offsite: offsitePolicy
    .optional()
    .describe("Where the newest verified backup is copied to, encrypted; without it nowhere."),
  keep: keepRules
    .prefault({})
    .describe("Which of the verified backups stay. The newest and the pinned ones always do."),
});
export type BackupPolicy = z.infer<typeof backupPolicy>;
