import type { KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { IkomaError } from "../errors.ts";
import { errorMessage } from "../system-error.ts";
import { isEncrypted, readPrivateKey } from "./signing-key.ts";

/** Variables of the environment that say what to sign with. */
export const keyVariables = { key: "IKOMA_SIGN_KEY", file: "IKOMA_SIGN_KEY_FILE", passphrase: "IKOMA_SIGN_PASSPHRASE" };

/** Whence a private key is taken. */
export interface KeySource {
  /** Of the command line; goes before the environment. */
  readonly file: string | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** Asked only where the key needs one. */
  readonly passphrase: () => Promise<string | undefined>;
}

/**
 * The key to sign with: from a file, or, in CI, from a variable (the PEM text itself); undefined where none is named.
 *
 * @throws IkomaError SIGNING_KEY_INVALID
 */
export async function givenKey({ file, env, passphrase }: KeySource): Promise<KeyObject | undefined> {
  const found = await keyText(file, env);
  if (found === undefined) return undefined;
  const { pem, where } = found;
  return readPrivateKey(pem, isEncrypted(pem) ? await passphrase() : undefined, where);
}

async function keyText(
  file: string | undefined,
  env: NodeJS.ProcessEnv,
): Promise<{ pem: string; where: string } | undefined> {
  const text = env[keyVariables.key] ?? "";
  if (file === undefined && text !== "") return { pem: text, where: `$${keyVariables.key}` };
  const path = file ?? env[keyVariables.file] ?? "";
  if (path === "") return undefined;
  try {
    return { pem: await readFile(path, "utf8"), where: path };
  } catch (cause) {
    throw new IkomaError("SIGNING_KEY_INVALID", `The key cannot be read: ${errorMessage(cause)}`, {
      hint: "Name the file of a private key, or make one with `ikoma bundle keygen NAME`.",
      cause,
    });
  }
}
