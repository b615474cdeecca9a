import { IkomaError } from "../errors.ts";
import { readPrivateFile } from "../private-file.ts";

/** Variables of the environment that say what to read secrets with. */
export const identityVariables = { text: "IKOMA_STORE_IDENTITY", file: "IKOMA_STORE_IDENTITY_FILE" } as const;

/**
 * The identities of age to read with: from the file that IKOMA_STORE_IDENTITY_FILE names (as `age-keygen` writes it:
 * one a line, comments allowed), or, in CI, from IKOMA_STORE_IDENTITY. They never leave the process.
 *
 * @throws STORE_IDENTITY where there is none, or a line is none; CONFIG_INVALID for a file that others can read
 */
export async function readIdentities(env: NodeJS.ProcessEnv = process.env): Promise<string[]> {
  const { [identityVariables.text]: given = "", [identityVariables.file]: file = "" } = env;
  if (given === "" && file === "")
    throw new IkomaError("STORE_IDENTITY", "Secrets of the store are to be read, and there is no identity to do it.");
  const [text, from] =
    given === ""
      ? [await readPrivateFile(file, "the identity", "STORE_IDENTITY"), file]
      : [given, identityVariables.text];
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const isSaid = (line: string): boolean => line !== "" && !line.startsWith("#");
  for (const [index, line] of lines.entries()) {
    // Without the cause: the library's message has the line, which may be an identity but for one character.
    if (isSaid(line) && !(await isIdentity(line)))
      throw new IkomaError(
        "STORE_IDENTITY",
        `${from}, line ${index + 1}: no identity of age (AGE-SECRET-KEY-1…), or one with a typing error.`,
      );
  }
  const identities = lines.filter(isSaid);
  if (identities.length > 0) return identities;
  throw new IkomaError("STORE_IDENTITY", `${from} has no identity of age (AGE-SECRET-KEY-1…).`);
}

async function isIdentity(line: string): Promise<boolean> {
  const { Decrypter } = await import("age-encryption");
  try {
    new Decrypter().addIdentity(line);
    return true;
  } catch {
    return false;
  }
}

/** A new identity, as the text of its file, and its public half. */
export async function createIdentity(): Promise<{ text: string; recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  return { text: `# public key: ${recipient}\n${identity}\n`, recipient };
}

/** Whether a public key is one: of a typing error its checksum tells, which would else be found when something is sealed. */
export async function isRecipient(text: string): Promise<boolean> {
  const { Encrypter } = await import("age-encryption");
  try {
    new Encrypter().addRecipient(text);
    return true;
  } catch {
    return false;
  }
}
