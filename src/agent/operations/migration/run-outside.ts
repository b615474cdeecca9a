import { migrationKey } from "../../../core/migrations/migration-spec.ts";
import type { MigrationFile } from "../../../core/migrations/migration-spec.ts";
import type { DatabaseSession } from "../../database/database-session.ts";
import { noteApplied, noteBegun } from "./migration-history.ts";
import type { MigrationRun } from "./run-file.ts";
import { statementFailure } from "./statement-failure.ts";

type Index = { schema?: string | undefined; name: string } | undefined;

/**
 * Runs a file whose one statement cannot be in a transaction. That it was begun is noted first, so that a half-done
 * state can be seen, and the next run takes it up: an index that is whole by then is taken as it is, one that is not
 * (INVALID) is dropped and made again.
 *
 * @param isResumed it was begun before, and nobody has seen its end
 * @throws MIGRATION_FAILED
 */
export async function runOutsideTransaction(run: MigrationRun, file: MigrationFile, isResumed: boolean): Promise<void> {
  const { session, by, op } = run;
  const index = file.outsideTransaction?.index;
  const before = await stateOf(session, index);
  if (isResumed && before === "invalid") {
    op.step("resume", `${migrationKey(file)}: the index was left half-made; it is dropped and made again`);
    await dropIndex(session, index);
  }
  // Beside an index that somebody else has made of that name nothing can be begun: the next run must not take it for ours.
  if (isResumed || before === "none") await noteBegun(session, file, by);
  if (isResumed && before === "valid")
    op.step("resume", `${migrationKey(file)}: the index was made while nobody looked`);
  else await runStatement(run, file, index);
  await session.transaction(() => noteApplied(session, file, by));
}

async function runStatement({ session, op }: MigrationRun, file: MigrationFile, index: Index): Promise<void> {
  const [place] = file.statements;
  try {
    // It waits for whoever uses the table, without keeping anybody waiting.
    await session.run("SET lock_timeout = 0; SET statement_timeout = 0");
    await session.run(file.text.slice(place?.start, place?.end));
    // IF NOT EXISTS is content with one that was never finished.
    if ((await stateOf(session, index)) === "invalid")
      throw new Error("the index is there, but was never finished (INVALID)");
  } catch (error) {
    const what = await dropIfInvalid(session, index).then(
      () => "What it left half-made was removed.",
      () => "The next deploy removes what it left half-made.",
    );
    op.signal.throwIfAborted();
    throw statementFailure(file, place, error, what);
  } finally {
    await session.run("RESET ALL").catch(() => undefined);
  }
}

async function dropIfInvalid(session: DatabaseSession, index: Index): Promise<void> {
  await session.run("SET lock_timeout = 5000");
  if ((await stateOf(session, index)) === "invalid") await dropIndex(session, index);
}

async function dropIndex(session: DatabaseSession, index: Index): Promise<void> {
  if (index !== undefined) await session.run(`DROP INDEX CONCURRENTLY IF EXISTS ${quoted(index)}`);
}

async function stateOf(session: DatabaseSession, index: Index): Promise<"none" | "valid" | "invalid"> {
  if (index === undefined) return "none";
  const [row] = await session.rows("SELECT indisvalid AS valid FROM pg_index WHERE indexrelid = to_regclass($1)", [
    quoted(index),
  ]);
  if (row === undefined) return "none";
  return row["valid"] === true ? "valid" : "invalid";
}

function quoted({ schema, name }: NonNullable<Index>): string {
  const parts = schema === undefined ? [name] : [schema, name];
  return parts.map((part) => `"${part.replaceAll('"', '""')}"`).join(".");
}
