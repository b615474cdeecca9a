import { IkomaError } from "../../../core/errors.ts";
import { migrationKey } from "../../../core/migrations/migration-spec.ts";
import type { MigrationFile, StatementPlace } from "../../../core/migrations/migration-spec.ts";

/** What of a statement is quoted, in characters. */
const quotedLength = 300;

/** SQLSTATE of what PostgreSQL refused; undefined for what is no answer of the server. */
export function sqlStateOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code)
    ? error.code
    : undefined;
}

/**
 * What PostgreSQL said of a statement: file, line, SQLSTATE, its hint. Its DETAIL is left out, since that quotes rows.
 *
 * @param what was done about it, as a sentence
 */
export function statementFailure(
  file: MigrationFile,
  place: StatementPlace | undefined,
  error: unknown,
  what: string,
): IkomaError {
  const told = facts(error);
  const state = sqlStateOf(error);
  const line = place === undefined ? undefined : lineOf(file, place, Number(told["position"] ?? 0));
  const where = `${migrationKey(file)}.sql${line === undefined ? "" : `:${line}`}`;
  const message = error instanceof Error ? error.message : String(error);
  const code = state === undefined ? "" : ` (SQLSTATE ${state})`;
  const { hint, table, column, constraint, where: context } = told;
  return new IkomaError("MIGRATION_FAILED", `${where}: ${message}${code}. ${what}`, {
    ...(hint !== undefined && { hint }),
    details: {
      file: `${migrationKey(file)}.sql`,
      ...(place !== undefined && { line, statement: file.text.slice(place.start, place.end).slice(0, quotedLength) }),
      ...Object.fromEntries(
        Object.entries({ sqlState: state, table, column, constraint, context }).filter(
          ([, value]) => value !== undefined,
        ),
      ),
    },
    cause: error,
  });
}

function lineOf({ text }: MigrationFile, { line, start, end }: StatementPlace, position: number): number {
  if (position < 1) return line;
  // PostgreSQL counts characters, not UTF-16 units.
  const before = Array.from(text.slice(start, end))
    .slice(0, position - 1)
    .join("");
  return line + before.split("\n").length - 1;
}

function facts(error: unknown): Record<string, string | undefined> {
  if (!(error instanceof Error)) return {};
  return Object.fromEntries(
    Object.entries(error).flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])),
  );
}
