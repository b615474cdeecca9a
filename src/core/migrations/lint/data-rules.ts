import type {
  AlterObjectSchemaStmt,
  AlterTableCmd,
  ColumnDef,
  DropStmt,
  Node,
  ObjectType,
  RenameStmt,
  WithClause,
} from "libpg-query";
import { droppedBy, madeBy, nameOf, textsOf } from "./named-objects.ts";
import type { MadeHere } from "./named-objects.ts";
import type { Found } from "./found.ts";
import type { ParsedStatement } from "./parsed-migration.ts";

const expandFirst =
  "Take it away only when no release uses it any more: first deploy one that does without, then a later migration";

/** What takes data away, or what the release before cannot live with: such a file is of the phase `contract`. */
export function dataRules(statements: readonly ParsedStatement[]): Found[] {
  const nodes = statements.map(({ node }) => node);
  const whole: Whole = { filled: addedColumns(nodes), made: madeBy(nodes) };
  return statements.flatMap(({ node, line }, index) => {
    const contract: Make = (rule, message) => [{ rule, line, severity: "acknowledge", message, isContract: true }];
    const made = madeBy(nodes.slice(0, index));
    return [node, ...innerQueries(node)].flatMap((each) => foundIn(each, made, whole, contract));
  });
}

/** What the whole file does, also after the statement that is looked at. */
interface Whole {
  readonly filled: ReadonlySet<string>;
  readonly made: MadeHere;
}

type Make = (rule: string, message: string) => Found[];

/** @param made by the statements before it */
function foundIn(node: Node, made: MadeHere, whole: Whole, contract: Make): Found[] {
  if ("DropStmt" in node) return dropped(node.DropStmt, made, whole.made, contract);
  if ("DropOwnedStmt" in node)
    return contract(
      "drop-table",
      "whatever the role owns is gone, tables with their data. Drop one by one what has to go.",
    );
  if ("RenameStmt" in node) return renamed(node.RenameStmt, made, contract);
  if ("AlterObjectSchemaStmt" in node) return moved(node.AlterObjectSchemaStmt, made, contract);
  if ("AlterEnumStmt" in node && node.AlterEnumStmt.oldVal !== undefined)
    return contract("rename", renameMessage(node.AlterEnumStmt.oldVal));
  if ("AlterTableStmt" in node && isForeign(node.AlterTableStmt.relation, made))
    return commandsOf(node).flatMap((command) => altered(command, contract));
  return rowsOf(node, made, whole.filled, contract);
}

/** `WITH gone AS (DELETE …) SELECT …`, also as what CREATE TABLE … AS, COPY, EXPLAIN or PREPARE is about. */
function innerQueries(node: Node): Node[] {
  const [{ withClause, query } = {}] = Object.values(node) as { withClause?: WithClause; query?: Node }[];
  const named = (withClause?.ctes ?? []).flatMap((each) =>
    "CommonTableExpr" in each && each.CommonTableExpr.ctequery !== undefined ? [each.CommonTableExpr.ctequery] : [],
  );
  return query === undefined ? named : [...named, query, ...innerQueries(query)];
}

/** What becomes of rows. */
function rowsOf(node: Node, made: MadeHere, filled: ReadonlySet<string>, contract: Make): Found[] {
  if ("TruncateStmt" in node) {
    const isForeignOne = (each: Node): boolean => !("RangeVar" in each) || isForeign(each.RangeVar, made);
    return (node.TruncateStmt.relations ?? []).some(isForeignOne)
      ? contract("truncate", "it deletes every row of the table. Delete what has to go by a WHERE.")
      : [];
  }
  if ("DeleteStmt" in node) {
    const { relation, whereClause } = node.DeleteStmt;
    return whereClause === undefined && isForeign(relation, made)
      ? contract("no-where", "DELETE without WHERE deletes every row. Say which rows have to go.")
      : [];
  }
  if (!("UpdateStmt" in node)) return [];
  const { relation, whereClause, targetList = [] } = node.UpdateStmt;
  const columns = targetList.flatMap((each) => ("ResTarget" in each ? [each.ResTarget.name ?? ""] : []));
  // A backfill of a column that is new overwrites nothing.
  const isBackfill = columns.every((column) => filled.has(`${nameOf(relation)}.${column}`));
  return whereClause === undefined && isForeign(relation, made) && !isBackfill
    ? contract("no-where", "UPDATE without WHERE overwrites every row. Say which rows are meant.")
    : [];
}

function isForeign(relation: Parameters<typeof nameOf>[0], made: MadeHere): boolean {
  return !made.has(nameOf(relation));
}

/** The commands of an ALTER TABLE. */
export function commandsOf(node: Node): AlterTableCmd[] {
  if (!("AlterTableStmt" in node)) return [];
  return (node.AlterTableStmt.cmds ?? []).flatMap((each) => ("AlterTableCmd" in each ? [each.AlterTableCmd] : []));
}

/** Those that are new for certain. */
function addedColumns(nodes: readonly Node[]): Set<string> {
  const added = nodes.flatMap((node) =>
    commandsOf(node).flatMap(({ subtype, def, missing_ok: mayExist }) =>
      subtype === "AT_AddColumn" &&
      mayExist !== true &&
      def !== undefined &&
      "ColumnDef" in def &&
      "AlterTableStmt" in node
        ? [`${nameOf(node.AlterTableStmt.relation)}.${def.ColumnDef.colname ?? ""}`]
        : [],
    ),
  );
  return new Set(added);
}

/**
 * A table or schema that is made anew after it is empty; of what holds no data (a view, a function) one that is made
 * again in the same file takes its place.
 */
function dropped(statement: DropStmt, made: MadeHere, madeAnywhere: MadeHere, contract: Make): Found[] {
  const { removeType } = statement;
  const holdsData = removeType !== undefined && dataObjects.includes(removeType);
  const gone = droppedBy(statement).filter((name) => !(holdsData ? made : madeAnywhere).has(name));
  if (gone.length === 0) return [];
  const names = gone.join(", ");
  if (removeType === "OBJECT_TABLE")
    return contract("drop-table", `the data of ${names} is gone. ${expandFirst} with DROP TABLE.`);
  if (removeType === "OBJECT_SCHEMA")
    return contract("drop-schema", `everything in ${names} is gone. Drop what has to go table by table.`);
  return removeType !== undefined && usedObjects.includes(removeType)
    ? contract("drop-object", `whoever uses ${names} fails. ${expandFirst} with the DROP.`)
    : [];
}

const dataObjects: readonly ObjectType[] = ["OBJECT_TABLE", "OBJECT_SCHEMA", "OBJECT_SEQUENCE"];

/** What queries name. */
const usedObjects: readonly ObjectType[] = [
  ...(["OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_FOREIGN_TABLE"] as const),
  ...(["OBJECT_ROUTINE", "OBJECT_AGGREGATE"] as const),
  ...(["OBJECT_TYPE", "OBJECT_DOMAIN", "OBJECT_SEQUENCE", "OBJECT_EXTENSION"] as const),
];

/** Of what nobody names in a query (index, constraint, trigger, policy) the name is free. */
function renamed({ renameType, relation, subname }: RenameStmt, made: MadeHere, contract: Make): Found[] {
  if (renameType === undefined || !namedObjects.includes(renameType)) return [];
  if (relation !== undefined && made.has(nameOf(relation))) return [];
  return contract("rename", renameMessage(subname ?? nameOf(relation)));
}

/** Into another schema: whoever asks for it by its name finds it no more. */
function moved({ objectType, relation }: AlterObjectSchemaStmt, made: MadeHere, contract: Make): Found[] {
  if (objectType === undefined || !namedObjects.includes(objectType)) return [];
  return relation !== undefined && made.has(nameOf(relation))
    ? []
    : contract("rename", renameMessage(nameOf(relation)));
}

const namedObjects: readonly ObjectType[] = [
  ...(["OBJECT_TABLE", "OBJECT_COLUMN", "OBJECT_VIEW", "OBJECT_MATVIEW"] as const),
  ...(["OBJECT_SCHEMA", "OBJECT_TYPE", "OBJECT_FUNCTION", "OBJECT_PROCEDURE", "OBJECT_ROUTINE"] as const),
  ...(["OBJECT_FOREIGN_TABLE", "OBJECT_DOMAIN", "OBJECT_ATTRIBUTE"] as const),
];

function renameMessage(what: string): string {
  return `the release that serves still says ${what === "" ? "the old name" : what}. Add the new one beside it, have a release write both and a later one read the new, then drop the old.`;
}

function altered({ subtype, name = "", def }: AlterTableCmd, contract: Make): Found[] {
  if (subtype === "AT_DropColumn")
    return contract("drop-column", `the data of the column ${name} is gone. ${expandFirst} with DROP COLUMN.`);
  if (subtype === "AT_AlterColumnType")
    return contract(
      "change-type",
      `the table is rewritten while nobody can use it, and the release that serves may not read the new type of ${name}. Add a column of the new type, fill it, move over, drop the old one.`,
    );
  const filled = subtype === "AT_SetNotNull" ? name : notNullOf(def);
  if (filled !== undefined)
    return contract(
      "set-not-null",
      `the release that serves may still leave ${filled} empty, and the table is scanned while nobody can use it. First deploy one that always fills it; then ADD CONSTRAINT … CHECK (${filled} IS NOT NULL) NOT VALID, and VALIDATE CONSTRAINT in a later file.`,
    );
  if (subtype !== "AT_AddColumn" || def === undefined || !("ColumnDef" in def)) return [];
  return isRequired(def.ColumnDef)
    ? contract(
        "required-column",
        `the release that serves does not fill ${def.ColumnDef.colname ?? "it"}, so each of its INSERTs fails, as does this where there are rows. Give it a DEFAULT, or let it be NULL.`,
      )
    : [];
}

/** The column of `ADD CONSTRAINT … NOT NULL`, which PostgreSQL 18 has. */
function notNullOf(def: Node | undefined): string | undefined {
  if (def === undefined || !("Constraint" in def) || def.Constraint.contype !== "CONSTR_NOTNULL") return undefined;
  return textsOf(def.Constraint.keys).join(", ");
}

function isRequired({ constraints = [], typeName }: ColumnDef): boolean {
  const kinds = constraints.flatMap((each) => ("Constraint" in each ? [each.Constraint.contype] : []));
  const filled = ["CONSTR_DEFAULT", "CONSTR_IDENTITY", "CONSTR_GENERATED"] as const;
  const isSerial = /^(small|big)?serial[248]?$/.test(textsOf(typeName?.names).at(-1) ?? "");
  const isNeeded = kinds.includes("CONSTR_NOTNULL") || kinds.includes("CONSTR_PRIMARY");
  return isNeeded && !isSerial && !filled.some((kind) => kinds.includes(kind));
}
