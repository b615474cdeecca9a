import { open, rm } from "node:fs/promises";
import { IkomaError } from "../errors.ts";
import { errorCode, errorMessage } from "../system-error.ts";
import type { KeyPair } from "./signing-key.ts";

/**
 * Writes a pair to `<path>.key` (for nobody else to read) and `<path>.pub`. Neither is ever written over: a private
 * key that is lost cannot be had back.
 *
 * @throws IkomaError USAGE where one of them is there, or cannot be written
 */
export async function writeKeyFiles(path: string, pair: KeyPair): Promise<{ privateFile: string; publicFile: string }> {
  const [privateFile, publicFile] = [`${path}.key`, `${path}.pub`];
  await writeNew(publicFile, pair.publicKeyPem, 0o644);
  try {
    await writeNew(privateFile, pair.privateKeyPem, 0o600);
  } catch (error) {
    await rm(publicFile);
    throw error;
  }
  return { privateFile, publicFile };
}

/**
 * Writes a key's file, if there is none of that name.
 *
 * @throws IkomaError USAGE where there is one, or it cannot be written
 */
export async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    await using file = await open(path, "wx", mode);
    await file.writeFile(text);
    await file.sync();
  } catch (cause) {
    if (errorCode(cause) === "EEXIST") {
      throw new IkomaError("USAGE", `${path} is there already, and keys are not written over.`, {
        hint: "Give the new key another name.",
      });
    }
    throw new IkomaError("USAGE", `${path} cannot be written: ${errorMessage(cause)}`, { cause });
  }
}
