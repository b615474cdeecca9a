import type { GrantStmt, Node } from "libpg-query";
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
    if ("GrantStmt" in node && grantsAllToAll(node.GrantStmt))
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
    if (isSupabase && "CreateStmt" in node && isOpen(node, guarded))
      return ask(
        "table-without-rls",
        `whoever has the public key can read and write ${nameOf(node.CreateStmt.relation)}. Add ALTER TABLE … ENABLE ROW LEVEL SECURITY to the file.`,
      );
    return [];
  });
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

function isOpen(
  { CreateStmt: { relation } }: Extract<Node, { CreateStmt: unknown }>,
  guarded: ReadonlySet<string>,
): boolean {
  const { schemaname = "public", relpersistence } = relation ?? {};
  return schemaname === "public" && relpersistence !== "t" && !guarded.has(nameOf(relation));
}
