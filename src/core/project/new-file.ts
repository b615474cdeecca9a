import { writeFile } from "node:fs/promises";
import { errorCode } from "../system-error.ts";

/** Writes a file that is not there yet. @returns false where it is; it stays as it was then */
export async function writeNew(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}
