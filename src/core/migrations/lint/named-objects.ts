import type { DropStmt, Node, RangeVar } from "libpg-query";

/** What a file makes itself: nobody uses that yet, so whatever is done to it hurts nobody. */
export type MadeHere = ReadonlySet<string>;

/**
 * Names of tables, views, functions, types and policies that these statements make for certain: what IF NOT EXISTS says
 * may be there already, with its data.
 */
export function madeBy(nodes: readonly Node[]): MadeHere {
  return new Set(nodes.flatMap(madeByOne).filter((name) => name !== ""));
}

/** `orders` for `public.orders` too: which schema a bare name is in is not known here. */
export function nameOf(relation: RangeVar | undefined): string {
  const { schemaname = "public", relname = "" } = relation ?? {};
  return schemaname === "public" ? relname : `${schemaname}.${relname}`;
}

/** Names of what is dropped, in the same form. What may have the name of a table too is told apart from it. */
export function droppedBy({ objects = [], removeType }: DropStmt): string[] {
  return objects.map((object) => {
    const names = namesIn(object);
    if (removeType === "OBJECT_POLICY" || removeType === "OBJECT_TRIGGER")
      return onTable(joined(names.slice(0, -1)), names.at(-1));
    if (removeType === "OBJECT_SCHEMA") return schemaCalled(joined(names));
    return "ObjectWithArgs" in object ? functionCalled(names) : joined(names);
  });
}

function onTable(table: string, name = ""): string {
  return `${table}/${name}`;
}

function schemaCalled(name: string): string {
  return `schema ${name}`;
}

function functionCalled(names: readonly string[]): string {
  return `${joined(names)}()`;
}

function madeByOne(node: Node): string[] {
  if ("CreateStmt" in node) return unless(node.CreateStmt.if_not_exists, nameOf(node.CreateStmt.relation));
  if ("CreateTableAsStmt" in node)
    return unless(node.CreateTableAsStmt.if_not_exists, nameOf(node.CreateTableAsStmt.into?.rel));
  if ("SelectStmt" in node) return [nameOf(node.SelectStmt.intoClause?.rel)];
  if ("ViewStmt" in node) return [nameOf(node.ViewStmt.view)];
  if ("CreateFunctionStmt" in node) return [functionCalled(textsOf(node.CreateFunctionStmt.funcname))];
  if ("CreateSeqStmt" in node) return unless(node.CreateSeqStmt.if_not_exists, nameOf(node.CreateSeqStmt.sequence));
  if ("CreateSchemaStmt" in node)
    return unless(node.CreateSchemaStmt.if_not_exists, schemaCalled(node.CreateSchemaStmt.schemaname ?? ""));
  if ("CreatePolicyStmt" in node)
    return [onTable(nameOf(node.CreatePolicyStmt.table), node.CreatePolicyStmt.policy_name)];
  return typesMadeBy(node);
}

function unless(mayExist: boolean | undefined, name: string): string[] {
  return mayExist === true ? [] : [name];
}

function typesMadeBy(node: Node): string[] {
  if ("CreateEnumStmt" in node) return [joined(textsOf(node.CreateEnumStmt.typeName))];
  if ("CompositeTypeStmt" in node) return [nameOf(node.CompositeTypeStmt.typevar)];
  if ("CreateDomainStmt" in node) return [joined(textsOf(node.CreateDomainStmt.domainname))];
  return [];
}

function namesIn(object: Node): string[] {
  if ("List" in object) return textsOf(object.List.items);
  if ("ObjectWithArgs" in object) return textsOf(object.ObjectWithArgs.objname);
  if ("TypeName" in object) return textsOf(object.TypeName.names);
  return textsOf([object]);
}

/** What a list of words says. */
export function textsOf(nodes: readonly Node[] = []): string[] {
  return nodes.flatMap((node) => ("String" in node ? [node.String.sval ?? ""] : []));
}

function joined(names: readonly string[]): string {
  return (names.length > 1 && names[0] === "public" ? names.slice(1) : names).join(".");
}
