import { IkomaError } from "../core/errors.ts";
import { errorCode, errorMessage } from "../core/system-error.ts";

/** What the system says of files and folders that are not ours to use, not what they should be, or have no room. */
const refusals = ["EACCES", "EPERM", "EROFS", "ENOSPC", "EDQUOT", "EISDIR", "ENOTDIR", "EEXIST", "ENAMETOOLONG"];

/** A file that the system refused, where nothing says it better: no defect of the program. Undefined for all else. */
export function fileError(thrown: unknown): IkomaError | undefined {
  const [code, message] = [errorCode(thrown) ?? "", errorMessage(thrown)];
  // Of ports and programs, which are refused with the same codes, Node says "listen EACCES: …", "spawn docker EACCES".
  const isOfFile = refusals.includes(code) && message.startsWith(`${code}: `);
  return isOfFile ? new IkomaError("FILE_REFUSED", message, { cause: thrown }) : undefined;
}
