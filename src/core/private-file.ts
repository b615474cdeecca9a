import { readFile, stat } from "node:fs/promises";
import { IkomaError, type ErrorCode } from "./errors.ts";

/**
 * The text of a file that only its owner can read.
 *
 * @param what is in it, for the errors: `the token`
 * @throws CONFIG_INVALID where others can read it, `unreadable` where nobody can
 */
export async function readPrivateFile(path: string, what: string, unreadable: ErrorCode): Promise<string> {
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0)
      throw new IkomaError("CONFIG_INVALID", `Others can read ${what} in ${path}.`, {
        hint: `Run \`chmod 600 ${path}\`.`,
      });
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof IkomaError) throw cause;
    throw new IkomaError(unreadable, `The file ${path} of ${what} cannot be read.`, { cause });
  }
}
