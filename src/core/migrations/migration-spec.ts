import * as z from "zod";
import { remoteDatabase } from "../database/remote-database.ts";
import { appName, digest, longestFile, serviceName } from "../release/release-spec.ts";

/** The digits that a file's name begins with, as in Supabase's history table: ordered as text. */
export const migrationVersion = z.string().regex(/^\d{1,20}$/, "digits, at most 20");

/**
 * What a finding means for a file that has not been run: `block` is refused in any case, `acknowledge` unless the file
 * itself allows the rule with a reason, `info` is told.
 */
const severity = z.enum(["block", "acknowledge", "info"]);

/** What a lint rule found in a file. */
export const finding = z.strictObject({
  rule: z.string(),
  severity,
  line: z.number().int().positive(),
  /** What it does, and the safe way to the same end. */
  message: z.string(),
  /** The reason that the file gives for it. */
  allowed: z.string().optional(),
});
export type Finding = z.infer<typeof finding>;

/** `expand`: the release before can live with it. `contract`: it cannot, or data is gone. */
export const migrationPhase = z.enum(["expand", "contract"]);

/** What of a migration is judged and compared: all but its text. */
export const migrationFacts = z.strictObject({
  version: migrationVersion,
  name: z.string().max(200),
  /** Of its text, with newlines as on Unix. Hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  phase: migrationPhase,
  findings: z.array(finding).default([]),
  /** Why it may run without a backup. */
  withoutBackup: z.string().optional(),
});
export type MigrationFacts = z.infer<typeof migrationFacts>;

/** A statement's place in the text: its line from 1, and from where to where it goes (UTF-16 units). */
const statementPlace = z.strictObject({
  line: z.number().int().positive(),
  start: z.number().int().min(0),
  end: z.number().int().min(0),
});
export type StatementPlace = z.infer<typeof statementPlace>;

/** A migration as the bundle has it. */
export const migrationFile = migrationFacts.extend({
  text: z.string().max(longestFile),
  statements: z.array(statementPlace),
  /** Its one statement cannot run in a transaction; `index` is what it makes, and may leave half-made. */
  outsideTransaction: z
    .strictObject({ index: z.strictObject({ schema: z.string().optional(), name: z.string() }).optional() })
    .optional(),
});
export type MigrationFile = z.infer<typeof migrationFile>;

/** What a bundle says of an app's database. */
export const bundleMigrations = z.strictObject({
  /** The accessory that they are for; without it the environment has to say where the database is. */
  database: serviceName.optional(),
  files: z.array(migrationFile),
});
export type BundleMigrations = z.infer<typeof bundleMigrations>;

// The descriptions are the reference: docs/reference/configuration.md is made from them.

/** `migrations` of an app's settings: how long a migration may wait and work, and what guards data. */
export const migrationPolicy = z.strictObject({
  lockSeconds: z
    .number()
    .positive()
    .max(3600)
    .default(5)
    .describe(
      "How long a statement may wait for a lock; then the file is taken back and tried again, five times in all.",
    ),
  statementSeconds: z
    .number()
    .positive()
    .max(86_400)
    .default(900)
    .describe("How long one statement may take. One that runs outside a transaction may take as long as it needs."),
  waitSeconds: z
    .number()
    .min(0)
    .max(3600)
    .default(60)
    .describe("How long to wait while another session migrates the same database."),
  backupMinutes: z
    .number()
    .positive()
    .default(60)
    .describe("How old the last verified backup may be when a file of the phase `contract` is run."),
});
export type MigrationPolicy = z.infer<typeof migrationPolicy>;

/** An app's database and the files that it is to have, without their texts. */
export const expectedMigrations = z.strictObject({
  app: appName,
  /** The accessory that it is, where `remote` says nothing else. */
  database: serviceName.optional(),
  /** Where it is no accessory. */
  remote: remoteDatabase.optional(),
  files: z.array(migrationFacts),
  policy: migrationPolicy.prefault({}),
  /** A backup is made sure of before, in the same deploy. */
  isBackedUp: z.boolean().default(false),
});
export type ExpectedMigrations = z.infer<typeof expectedMigrations>;

/** What the operation is told: the same with texts, and the bundle that they are from. */
export const migrationSpec = expectedMigrations.extend({ bundle: digest, files: z.array(migrationFile) });
export type MigrationSpec = z.infer<typeof migrationSpec>;

/** A migration as people name it: its file without the ending. */
export function migrationKey({ version, name }: Pick<MigrationFacts, "version" | "name">): string {
  return name === "" ? version : `${version}_${name}`;
}

/** All but the text. */
export function factsOf(file: MigrationFile): MigrationFacts {
  const { version, name, sha256, phase, findings, withoutBackup } = file;
  return { version, name, sha256, phase, findings, ...(withoutBackup !== undefined && { withoutBackup }) };
}
