import { userInfo } from "node:os";

/** Who runs this: the name of the user, or, of one that the machine does not know (as in many containers), its number. */
export function userName(read: () => { readonly username: string } = userInfo): string {
  try {
    return read().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
