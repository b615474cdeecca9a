import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../../../core/errors.ts";
import { migrationKey } from "../../../core/migrations/migration-spec.ts";
import type { MigrationFile, MigrationPolicy, StatementPlace } from "../../../core/migrations/migration-spec.ts";
import type { DatabaseSession } from "../../database/database-session.ts";
import type { OperationContext } from "../../host.ts";
import { noteApplied, type RunIdentity } from "./migration-history.ts";
import { sqlStateOf, statementFailure } from "./statement-failure.ts";

/** How often a file is tried that does not get its locks, and how long is waited before the second try. */
const attempts = 5;
const firstPauseMs = 250;
/** lock_not_available (of `lock_timeout`), deadlock_detected. */
const lockStates = ["55P03", "40P01"];

/** What a run of migrations goes by. */
export interface MigrationRun {
  readonly session: DatabaseSession;
  readonly policy: MigrationPolicy;
  readonly by: RunIdentity;
  readonly op: Pick<OperationContext, "step" | "signal">;
}

/**
 * Runs a file as one transaction, its history with it: after a crash it was run, or it was not. A statement that does
 * not get its lock in time gives way, so that those who wait behind it go on, and the file is tried again.
 *
 * @throws MIGRATION_FAILED, MIGRATION_LOCKED
 */
export async function runInTransaction(run: MigrationRun, file: MigrationFile): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await attemptOnce(run, file);
      return;
    } catch (error) {
      run.op.signal.throwIfAborted();
      if (!(error instanceof BlockedStatement)) throw error;
      if (attempt === attempts) throw locked(file, error, await longestTransaction(run.session));
      const pauseMs = firstPauseMs * 2 ** (attempt - 1);
      run.op.step("retry", `${migrationKey(file)}.sql:${error.place.line}: ${error.message}; again in ${pauseMs} ms`);
      await sleep(pauseMs, undefined, { signal: run.op.signal });
    }
  }
}

class BlockedStatement extends Error {
  readonly place: StatementPlace;

  constructor(message: string, place: StatementPlace) {
    super(message);
    this.name = "BlockedStatement";
    this.place = place;
  }
}

async function attemptOnce({ session, policy, by }: MigrationRun, file: MigrationFile): Promise<void> {
  let place: StatementPlace | undefined;
  try {
    await session.transaction(async () => {
      await session.run(limits(policy));
      for (place of file.statements) await session.run(file.text.slice(place.start, place.end));
      place = undefined;
      // A file may have taken another role.
      await session.run("RESET SESSION AUTHORIZATION; RESET ROLE");
      await noteApplied(session, file, by);
    });
  } catch (error) {
    if (place !== undefined && lockStates.includes(sqlStateOf(error) ?? ""))
      throw new BlockedStatement(error instanceof Error ? error.message : String(error), place);
    // Without a place it was the commit itself, whose answer may have been lost.
    const what =
      place === undefined ? "The next deploy sees whether it was run." : "The file was taken back as a whole.";
    throw statementFailure(file, place, error, what);
  } finally {
    // What a file sets is for that file alone.
    await session.run("RESET SESSION AUTHORIZATION; RESET ALL").catch(() => undefined);
  }
}

function limits({ lockSeconds, statementSeconds }: MigrationPolicy): string {
  const [lock, statement] = [lockSeconds, statementSeconds].map((seconds) => Math.ceil(seconds * 1000));
  return `SET LOCAL lock_timeout = ${lock}; SET LOCAL statement_timeout = ${statement}; SET LOCAL idle_in_transaction_session_timeout = 60000`;
}

function locked(file: MigrationFile, { place, message }: BlockedStatement, suspect: string): IkomaError {
  return new IkomaError(
    "MIGRATION_LOCKED",
    `${migrationKey(file)}.sql:${place.line}: ${message}, ${attempts} times${suspect}. The file was taken back as a whole.`,
    { details: { file: `${migrationKey(file)}.sql`, line: place.line } },
  );
}

/** Whoever has been in a transaction for longest is who it most likely waits for. */
async function longestTransaction(session: DatabaseSession): Promise<string> {
  const [row] = await session.rows(
    `SELECT pid, application_name AS name, state, xact_start::text AS since FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL ORDER BY xact_start LIMIT 1`,
  );
  if (row === undefined) return "";
  const name = row["name"] === "" ? "a program" : String(row["name"]);
  return `; the longest transaction is that of ${name} (process ${String(row["pid"])}, ${String(row["state"])}) since ${String(row["since"])}`;
}
