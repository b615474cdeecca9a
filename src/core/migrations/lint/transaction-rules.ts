import type { Node } from "libpg-query";
import type { MigrationFile } from "../migration-spec.ts";
import type { ParsedStatement } from "./parsed-migration.ts";
import type { Found } from "./found.ts";

/** A statement that PostgreSQL refuses inside a transaction. */
type Outside = NonNullable<MigrationFile["outsideTransaction"]>;

/** What keeps files from being run each as one transaction, or alone and so that they can be run again. */
export function transactionRules(statements: readonly ParsedStatement[]): Found[] {
  return statements.flatMap(({ node, line }): Found[] => {
    const block = (rule: string, message: string): Found[] => [{ rule, line, severity: "block", message }];
    if ("TransactionStmt" in node)
      return block(
        "transaction-control",
        "each file is one transaction already. Leave BEGIN, COMMIT and the like out.",
      );
    if ("CopyStmt" in node && node.CopyStmt.is_from === true && node.CopyStmt.filename === undefined)
      return block("copy-from-stdin", "only psql can send the rows that follow. Write them as INSERT.");
    if (isNever(node)) return block("not-repeatable", notRepeatable);
    if (outsideTransaction(node) === undefined) return [];
    if (statements.length > 1)
      return block(
        "not-alone",
        "it cannot run in a transaction, so that nothing could take the rest of the file back. Give it a file of its own.",
      );
    return isRepeatable(node) ? [] : block("not-repeatable", repeatableInstead(node));
  });
}

/** What the statement leaves when it is cut off; undefined for one that can run in a transaction. */
export function outsideTransaction(node: Node): Outside | undefined {
  if ("IndexStmt" in node && node.IndexStmt.concurrent === true) {
    const { idxname, relation } = node.IndexStmt;
    const schema = relation?.schemaname;
    return idxname === undefined ? {} : { index: { name: idxname, ...(schema !== undefined && { schema }) } };
  }
  if ("DropStmt" in node) return node.DropStmt.concurrent === true ? {} : undefined;
  if ("ReindexStmt" in node)
    return node.ReindexStmt.params?.some((each) => "DefElem" in each && each.DefElem.defname === "concurrently") ===
      true
      ? {}
      : undefined;
  if ("VacuumStmt" in node) return node.VacuumStmt.is_vacuumcmd === true ? {} : undefined;
  return undefined;
}

const notRepeatable =
  "it cannot run in a transaction, and cannot be run again where it was cut off. Do it by hand, outside the migrations.";

/** Of the whole server, not of this database, or left in a state that only a person can judge. */
function isNever(node: Node): boolean {
  const kinds = ["CreatedbStmt", "DropdbStmt", "AlterSystemStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt"];
  const isDetached = ({ AlterTableStmt: { cmds = [] } }: { AlterTableStmt: { cmds?: Node[] } }): boolean =>
    cmds.some((each) => {
      const part = "AlterTableCmd" in each ? each.AlterTableCmd.def : undefined;
      return part !== undefined && "PartitionCmd" in part && part.PartitionCmd.concurrent === true;
    });
  return (
    Object.keys(node).some((kind) => kinds.includes(kind) || kind.endsWith("SubscriptionStmt")) ||
    ("AlterTableStmt" in node && isDetached(node))
  );
}

function isRepeatable(node: Node): boolean {
  if ("IndexStmt" in node) return node.IndexStmt.idxname !== undefined;
  if ("DropStmt" in node) return node.DropStmt.missing_ok === true;
  return "VacuumStmt" in node;
}

function repeatableInstead(node: Node): string {
  if ("IndexStmt" in node)
    return "an index without a name cannot be found again where it was cut off. Name it: CREATE INDEX CONCURRENTLY name ON ….";
  if ("DropStmt" in node)
    return "where it was cut off it has to be run again. Write DROP INDEX CONCURRENTLY IF EXISTS ….";
  return "cut off, it leaves half-made indexes that only a person can tell apart. Make a new index concurrently and drop the old one.";
}
