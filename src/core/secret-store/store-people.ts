import { readFile } from "node:fs/promises";
import { isMap, parseDocument } from "yaml";
import { IkomaError } from "../errors.ts";
import { writeStackFile } from "../project/deploy-stack-file.ts";

/** Lists of people in `ikoma:store`. */
export type StorePeople = "recipients" | "writers";

/** The text of a stack's file with a person in one of the lists of `ikoma:store`, or, without a key, taken out. */
export function editStorePeople(text: string, list: StorePeople, name: string, key: string | undefined): string {
  const document = parseDocument(text);
  const [flaw] = document.errors;
  if (flaw !== undefined)
    throw new IkomaError("CONFIG_INVALID", `The stack's file is not readable YAML: ${flaw.message}`);
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
