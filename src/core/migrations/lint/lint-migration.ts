import type { MigrationFile } from "../migration-spec.ts";
import { accessRules } from "./access-rules.ts";
import { dataRules } from "./data-rules.ts";
import { noBackup, readDirectives } from "./directives.ts";
import type { Found } from "./found.ts";
import { lockRules } from "./lock-rules.ts";
import { madeBy } from "./named-objects.ts";
import { parseMigration, SqlSyntaxError } from "./parsed-migration.ts";
import type { ParsedMigration } from "./parsed-migration.ts";
import { outsideTransaction, transactionRules } from "./transaction-rules.ts";

/** Rules that a file may lift, with a reason. */
export const allowableRules = [
  ...["drop-table", "drop-schema", "drop-object", "drop-column", "rename", "truncate", "no-where", "change-type"],
  ...["set-not-null", "required-column", "grant-all", "drop-policy", "disable-rls", "table-without-rls"],
  ...["index-blocks-writes", "constraint-checks-rows", "unique-blocks", "default-rewrites-table"],
] as const;

/** What the lint makes of a file's text. */
export type LintedMigration = Pick<
  MigrationFile,
  "phase" | "findings" | "statements" | "outsideTransaction" | "withoutBackup"
>;

/**
 * Judges a migration's text. What is inside strings (the body of a function, a DO block, SQL that is put together at
 * run time) is not looked into.
 *
 * @param isSupabase the tables of `public` are reached from the internet with a public key
 */
export async function lintMigration(text: string, isSupabase: boolean): Promise<LintedMigration> {
  try {
    return judged(await parseMigration(text), isSupabase);
  } catch (error) {
    if (!(error instanceof SqlSyntaxError)) throw error;
    const message = `PostgreSQL does not understand it: ${error.message}. Commands of psql (\\…) cannot be used.`;
    const findings = [{ rule: "syntax", line: error.line, severity: "block" as const, message }];
    return { phase: "expand", findings, statements: [] };
  }
}

function judged({ statements, comments }: ParsedMigration, isSupabase: boolean): LintedMigration {
  const nodes = statements.map(({ node }) => node);
  const made = madeBy(nodes);
  const directives = readDirectives(comments, allowableRules);
  const found = [
    ...directives.findings,
    ...transactionRules(statements),
    ...dataRules(statements),
    ...accessRules(statements, { made, isSupabase }),
    ...lockRules(statements, made),
  ];
  const isContract = directives.phase === "contract" || found.some((each) => each.isContract === true);
  const [only] = nodes;
  const outside = nodes.length === 1 && only !== undefined ? outsideTransaction(only) : undefined;
  const withoutBackup = directives.allowed.get(noBackup);
  return {
    phase: isContract ? "contract" : "expand",
    findings: found.map((each) => withReason(each, directives.allowed)),
    statements: statements.map(({ line, start, end }) => ({ line, start, end })),
    ...(outside !== undefined && { outsideTransaction: outside }),
    ...(withoutBackup !== undefined && { withoutBackup }),
  };
}

function withReason({ rule, severity, line, message }: Found, allowed: ReadonlyMap<string, string>) {
  const reason = severity === "block" ? undefined : allowed.get(rule);
  return { rule, severity, line, message, ...(reason !== undefined && { allowed: reason }) };
}
