import { IkomaError } from "../errors.ts";
import { migrationKey } from "./migration-spec.ts";
import type { Finding, MigrationFacts } from "./migration-spec.ts";

/** What a database's history tells of one version. */
export interface HistoryEntry {
  readonly version: string;
  readonly name: string;
  /** Undefined where another tool has run it. */
  readonly sha256: string | undefined;
  readonly phase: MigrationFacts["phase"] | undefined;
  /** `running`: it was begun outside a transaction, and nobody has seen its end. */
  readonly state: "applied" | "running";
}

/** What is guarded against, of this moment. */
export interface Guard {
  /** It is a database that this host takes no backups of. */
  readonly isRemote?: boolean;
  /** How old the last verified backup may be, in minutes. */
  readonly backupMinutes: number;
  /** Unix time in ms of the last verified backup; undefined where there is none. */
  readonly verifiedBackupAtMs: number | undefined;
  readonly nowMs: number;
}

/** Files that are not in the history, in order. A half-done one is among them. */
export function pendingOf<F extends MigrationFacts>(files: readonly F[], history: readonly HistoryEntry[]): F[] {
  const applied = new Set(history.filter(({ state }) => state === "applied").map(({ version }) => version));
  return inOrder(files).filter(({ version }) => !applied.has(version));
}

/** As the history table is ordered: by version, as text. */
export function inOrder<F extends { version: string }>(files: readonly F[]): F[] {
  return files.toSorted((a, b) => (a.version < b.version ? -1 : a.version > b.version ? 1 : 0));
}

/** Files that were run with another text than they have now. */
export function changedSince<F extends MigrationFacts>(files: readonly F[], history: readonly HistoryEntry[]): F[] {
  return files.filter((file) => {
    const entry = history.find(({ version }) => version === file.version);
    return entry?.state === "applied" && entry.sha256 !== undefined && entry.sha256 !== file.sha256;
  });
}

/**
 * Why the files cannot be run on this history, the first reason first; undefined when they can. Only files that are
 * still to be run are judged by what the lint found.
 */
export function refusalOf(
  files: readonly MigrationFacts[],
  history: readonly HistoryEntry[],
  guard: Guard,
): IkomaError | undefined {
  const pending = pendingOf(files, history);
  return (
    changedRefusal(changedSince(files, history)) ??
    orderRefusal(pending, history) ??
    lintRefusal(pending) ??
    backupRefusal(pending, guard)
  );
}

function changedRefusal([first, ...others]: readonly MigrationFacts[]): IkomaError | undefined {
  if (first === undefined) return undefined;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  return new IkomaError(
    "MIGRATION_CHANGED",
    `${migrationKey(first)} was changed after it had been run${more}: the database has what it said before.`,
    { details: { files: [first, ...others].map(migrationKey) } },
  );
}

function orderRefusal(pending: readonly MigrationFacts[], history: readonly HistoryEntry[]): IkomaError | undefined {
  const newest = inOrder(history.filter(({ state }) => state === "applied")).at(-1);
  if (newest === undefined) return undefined;
  const late = pending.find(({ version }) => version < newest.version);
  if (late === undefined) return undefined;
  return new IkomaError(
    "MIGRATION_OUT_OF_ORDER",
    `${migrationKey(late)} comes before ${migrationKey(newest)}, which the database has already.`,
    { details: { file: migrationKey(late), newest: migrationKey(newest) } },
  );
}

function lintRefusal(pending: readonly MigrationFacts[]): IkomaError | undefined {
  const refused = pending.flatMap((file) =>
    refusedFindings(file).map((each) => ({ file: migrationKey(file), ...each })),
  );
  if (refused.length === 0) return undefined;
  const lines = refused.map(({ file, line, rule, message }) => `${file}.sql:${line} ${rule}: ${message}`);
  const [asked] = refused.filter((each) => each.severity === "acknowledge");
  const hint =
    asked === undefined
      ? {}
      : { hint: `Change the file, or write into it why it is right: \`-- ikoma:allow ${asked.rule} reason="…"\`.` };
  return new IkomaError("MIGRATION_REFUSED", lines.join("\n"), { ...hint, details: { findings: refused } });
}

/** What keeps a file from being run. */
export function refusedFindings({ findings }: Pick<MigrationFacts, "findings">): Finding[] {
  return findings.filter(
    ({ severity, allowed }) => severity === "block" || (severity === "acknowledge" && allowed === undefined),
  );
}

function backupRefusal(pending: readonly MigrationFacts[], guard: Guard): IkomaError | undefined {
  const guarded = pending.filter(({ phase, withoutBackup }) => phase === "contract" && withoutBackup === undefined);
  const [first] = guarded;
  const { backupMinutes, verifiedBackupAtMs, nowMs } = guard;
  if (first === undefined) return undefined;
  if (guard.isRemote === true) return noBackupHere(guarded, first);
  if (verifiedBackupAtMs !== undefined && nowMs - verifiedBackupAtMs <= backupMinutes * 60_000) return undefined;
  const age =
    verifiedBackupAtMs === undefined
      ? "there is none"
      : `the last one is ${Math.round((nowMs - verifiedBackupAtMs) / 60_000)} minutes old`;
  return new IkomaError(
    "MIGRATION_BACKUP_MISSING",
    `${migrationKey(first)} takes away what cannot be brought back (phase contract), and needs a verified backup of the last ${backupMinutes} minutes: ${age}.`,
    { details: { files: guarded.map(migrationKey) } },
  );
}

/** Whether its provider has one, and what that is worth, only a person can tell. */
function noBackupHere(guarded: readonly MigrationFacts[], first: MigrationFacts): IkomaError {
  return new IkomaError(
    "MIGRATION_BACKUP_MISSING",
    `${migrationKey(first)} takes away what cannot be brought back (phase contract). The database is none of the app's accessories: the Bridge takes no backups of it, and knows of none.`,
    {
      hint: 'See that there is one that can be restored (at Supabase: daily backups or PITR, or `pg_dump`), and write into the file what you rely on: `-- ikoma:allow no-backup reason="…"`.',
      details: { files: guarded.map(migrationKey) },
    },
  );
}

/** A migration that a database has, as the host's ledger remembers it. */
export interface AppliedMigration extends Pick<MigrationFacts, "version" | "name" | "phase"> {
  /** Run by another tool, before this host knew of it: whatever serves has lived with it. */
  readonly adopted: boolean;
}

/** What a release meets that does not know all migrations of its database. */
export interface UnknownMigrations<M extends AppliedMigration = AppliedMigration> {
  /** It cannot live with these. */
  readonly breaking: M[];
  /** These stay, and do not hurt it. */
  readonly staying: M[];
}

/** @param known versions of the release's bundle */
export function unknownTo<M extends AppliedMigration>(
  known: readonly string[],
  applied: readonly M[],
): UnknownMigrations<M> {
  const unknown = applied.filter(({ version, adopted }) => !adopted && !known.includes(version));
  return {
    breaking: unknown.filter(({ phase }) => phase === "contract"),
    staying: unknown.filter(({ phase }) => phase === "expand"),
  };
}

/** @throws MIGRATION_INCOMPATIBLE where a release is to serve that cannot live with what its database is now */
export function requireCompatible(release: string, { breaking: [first, ...others] }: UnknownMigrations): void {
  if (first === undefined) return;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  throw new IkomaError(
    "MIGRATION_INCOMPATIBLE",
    `${release} was made before ${migrationKey(first)}${more}, which took away what it needs (phase contract). Migrations are never undone.`,
    { details: { migrations: [first, ...others].map(migrationKey) } },
  );
}

/** Neither the bundle nor the environment says which database the migrations are for. */
export function noDatabase(app: string): IkomaError {
  return new IkomaError(
    "DATABASE_NOT_FOUND",
    `${app} has migrations, its compose file has no PostgreSQL accessory, and nothing says where its database is.`,
    {
      hint: `Say it: set \`ikoma:apps.${app}.database\` (\`{}\` is enough) and the secret \`ikoma:secrets.${app}.DATABASE_URL\`. Or add a PostgreSQL accessory to the compose file and make the bundle again.`,
    },
  );
}
