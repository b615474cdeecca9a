import { readFile } from "node:fs/promises";
import { isMap } from "yaml";
import { readYaml } from "../config/read-yaml.ts";
import { IkomaError } from "../errors.ts";
import { sameKey } from "../policies/approver-key.ts";
import { writeStackFile } from "../project/deploy-stack-file.ts";

/** Lists of people in `ikoma:store`. */
export type StorePeople = "recipients" | "writers";

/**
 * Somebody who is added gets nobody's place: in another key's place what is signed with that one, or sealed for it,
 * would be lost unasked; and one key under two names would stay when one of them is taken out.
 *
 * @throws USAGE where the name has another key, or another name has the key
 */
export function requireFree(
  list: StorePeople,
  people: Readonly<Record<string, string>>,
  name: string,
  key: string,
): void {
  const [role, lost] =
    list === "writers"
      ? ["writer", "what that one has signed would not count any more"]
      : ["recipient", "that one could read nothing any more"];
  const before = people[name];
  if (before !== undefined && !sameKey(before, key))
    throw new IkomaError("USAGE", `${name} is a ${role} with another key already; ${lost}.`, {
      hint: `Add the new key under another name, then take ${name} out with \`ikoma secrets ${list} rm ${name}\`.`,
    });
  const other = Object.entries(people).find(([each, given]) => each !== name && sameKey(given, key))?.[0];
  if (other !== undefined)
    throw new IkomaError("USAGE", `${other} is a ${role} with this very key already.`, {
      hint: `To call it ${name}, change its name in the settings.`,
    });
}

/** The text of a stack's file with a person in one of the lists of `ikoma:store`, or, without a key, taken out. */
export function editStorePeople(text: string, list: StorePeople, name: string, key: string | undefined): string {
  const { document } = readYaml(text, "The stack's file");
  const path = ["config", "ikoma:store", list];
  if (key === undefined) document.deleteIn([...path, name]);
  else {
    for (let depth = 1; depth <= path.length; depth += 1) {
      const above = path.slice(0, depth);
      if (!isMap(document.getIn(above))) document.setIn(above, document.createNode({}));
    }
    document.setIn([...path, name], key);
  }
  return document.toString({ lineWidth: 0 });
}

/** Does that to the file itself. */
export async function writeStorePeople(
  stackFile: string,
  list: StorePeople,
  name: string,
  key: string | undefined,
): Promise<void> {
  await writeStackFile(stackFile, editStorePeople(await readFile(stackFile, "utf8"), list, name, key));
}
