import type { GrantStmt, Node, RangeVar } from "libpg-query";
import { commandsOf } from "./data-rules.ts";
import { droppedBy, nameOf } from "./named-objects.ts";
import type { MadeHere } from "./named-objects.ts";
import type { Found } from "./found.ts";
import type { ParsedStatement } from "./parsed-migration.ts";

/** What opens data to people who must not see it. `isSupabase`: tables of `public` are on the internet, rows guarded by policies. */
export function accessRules(
  statements: readonly ParsedStatement[],
  { made, isSupabase }: { readonly made: MadeHere; readonly isSupabase: boolean },
): Found[] {
  const guarded = new Set(statements.flatMap(({ node }) => guardedBy(node)));
  return statements.flatMap(({ node, line }) => {
    const ask = (rule: string, message: string): Found[] => [{ rule, line, severity: "acknowledge", message }];
    const grant = grantOf(node);
    if (grant !== undefined && grantsAllToAll(grant))
      return ask(
        "grant-all",
        "everybody may then do everything with it. Grant what is needed (SELECT), and guard rows by policies.",
      );
    if ("DropStmt" in node && node.DropStmt.removeType === "OBJECT_POLICY") {
      const gone = droppedBy(node.DropStmt).filter((name) => !made.has(name));
      return gone.length === 0
        ? []
        : ask(
            "drop-policy",
            `the rows that ${gone.join(", ")} guarded are guarded no more, or nobody can reach them. Make its successor in the same file.`,
          );
    }
    if (commandsOf(node).some(({ subtype }) => subtype === "AT_DisableRowSecurity"))
      return ask(
        "disable-rls",
        "every policy of the table is without effect from then on. Change the policy that is in the way.",
      );
    const table = isSupabase ? tableOf(node) : undefined;
    if (table !== undefined && isOpen(table, guarded))
      return ask(
        "table-without-rls",
        `whoever has the public key can read and write ${nameOf(table)}. Add ALTER TABLE … ENABLE ROW LEVEL SECURITY to the file.`,
      );
    return [];
  });
}

/** Also one for what is to be made later. */
function grantOf(node: Node): GrantStmt | undefined {
  if ("GrantStmt" in node) return node.GrantStmt;
  return "AlterDefaultPrivilegesStmt" in node ? node.AlterDefaultPrivilegesStmt.action : undefined;
}

function grantsAllToAll({ is_grant: isGrant, privileges = [], grantees = [] }: GrantStmt): boolean {
  if (isGrant !== true || privileges.length > 0) return false;
  return grantees.some(
    (each) => "RoleSpec" in each && (each.RoleSpec.roletype === "ROLESPEC_PUBLIC" || each.RoleSpec.rolename === "anon"),
  );
}

function guardedBy(node: Node): string[] {
  return commandsOf(node).some(({ subtype }) => subtype === "AT_EnableRowSecurity") && "AlterTableStmt" in node
    ? [nameOf(node.AlterTableStmt.relation)]
    : [];
}

/** The table that a statement makes. */
function tableOf(node: Node): RangeVar | undefined {
  if ("CreateStmt" in node) return node.CreateStmt.relation;
  if ("SelectStmt" in node) return node.SelectStmt.intoClause?.rel;
  if (!("CreateTableAsStmt" in node)) return undefined;
  const { objtype, into } = node.CreateTableAsStmt;
  return objtype === "OBJECT_TABLE" ? into?.rel : undefined;
}

function isOpen(relation: RangeVar, guarded: ReadonlySet<string>): boolean {
  const { schemaname = "public", relpersistence } = relation;
  return schemaname === "public" && relpersistence !== "t" && !guarded.has(nameOf(relation));
}
