import type { AlterTableCmd, Node } from "libpg-query";
import { commandsOf } from "./data-rules.ts";
import { nameOf } from "./named-objects.ts";
import type { MadeHere } from "./named-objects.ts";
import type { Found } from "./found.ts";
import type { ParsedStatement } from "./parsed-migration.ts";

/** What keeps others from a table for as long as it has rows to be looked at: told, since only its size says whether it matters. */
export function lockRules(statements: readonly ParsedStatement[], made: MadeHere): Found[] {
  return statements.flatMap(({ node, line }) => {
    const tell = (rule: string, message: string): Found[] => [{ rule, line, severity: "info", message }];
    if ("IndexStmt" in node)
      return node.IndexStmt.concurrent === true || made.has(nameOf(node.IndexStmt.relation))
        ? []
        : tell(
            "index-blocks-writes",
            "nobody can write to the table while the index is made. On a large one: CREATE INDEX CONCURRENTLY, in a file of its own.",
          );
    if (!("AlterTableStmt" in node) || made.has(nameOf(node.AlterTableStmt.relation))) return [];
    return commandsOf(node).flatMap((command) => locking(command, tell));
  });
}

function locking({ subtype, def }: AlterTableCmd, tell: (rule: string, message: string) => Found[]): Found[] {
  if (subtype === "AT_AddColumn" && def !== undefined && "ColumnDef" in def)
    return (def.ColumnDef.constraints ?? []).some(rewrites)
      ? tell(
          "default-rewrites-table",
          "the table is rewritten while nobody can use it, to give each row a value of its own. On a large one: add the column without the default, set it, fill the rows in parts.",
        )
      : [];
  if (subtype !== "AT_AddConstraint" || def === undefined || !("Constraint" in def)) return [];
  const { contype, skip_validation: isLater, indexname } = def.Constraint;
  if ((contype === "CONSTR_FOREIGN" || contype === "CONSTR_CHECK") && isLater !== true)
    return tell(
      "constraint-checks-rows",
      "nobody can write to the table while its rows are checked. On a large one: NOT VALID, and VALIDATE CONSTRAINT in a later file.",
    );
  if ((contype === "CONSTR_UNIQUE" || contype === "CONSTR_PRIMARY") && indexname === undefined)
    return tell(
      "unique-blocks",
      "nobody can use the table while the index is made. On a large one: CREATE UNIQUE INDEX CONCURRENTLY in a file of its own, then ADD CONSTRAINT … USING INDEX.",
    );
  return [];
}

/** Functions that give one value for a whole statement: PostgreSQL notes it down instead of rewriting the table. */
const oneValue = [
  "now",
  "current_timestamp",
  "transaction_timestamp",
  "statement_timestamp",
  "timezone",
  "to_json",
  "to_jsonb",
  "jsonb_build_object",
  "array_fill",
];

function rewrites(constraint: Node): boolean {
  if (!("Constraint" in constraint)) return false;
  const { contype, raw_expr: value } = constraint.Constraint;
  if (contype === "CONSTR_IDENTITY" || contype === "CONSTR_GENERATED") return true;
  if (contype !== "CONSTR_DEFAULT" || value === undefined || !("FuncCall" in value)) return false;
  const last = value.FuncCall.funcname?.at(-1);
  const name = last !== undefined && "String" in last ? (last.String.sval ?? "") : "";
  return !oneValue.includes(name);
}
