import { IkomaError } from "../errors.ts";
import { readPrivateFile } from "../private-file.ts";

/** Variables of the environment that say what to read secrets with. */
export const identityVariables = { text: "IKOMA_STORE_IDENTITY", file: "IKOMA_STORE_IDENTITY_FILE" } as const;

const identityLine = /^AGE-SECRET-KEY-1[0-9A-Z]+$/;

/**
 * The identities of age to read with: from the file that IKOMA_STORE_IDENTITY_FILE names (as `age-keygen` writes it:
 * one a line, comments allowed), or, in CI, from IKOMA_STORE_IDENTITY. They never leave the process.
 *
 * @throws STORE_IDENTITY where there is none, CONFIG_INVALID for a file that others can read
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
  const identities = lines.filter((line) => line !== "" && !line.startsWith("#"));
  if (identities.length > 0 && identities.every((line) => identityLine.test(line))) return identities;
  throw new IkomaError(
    "STORE_IDENTITY",
    `${from} has no identity of age (AGE-SECRET-KEY-1…), or something else as well.`,
  );
}

/** A new identity, as the text of its file, and its public half. */
export async function createIdentity(): Promise<{ text: string; recipient: string }> {
  const { generateX25519Identity, identityToRecipient } = await import("age-encryption");
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  return { text: `# public key: ${recipient}\n${identity}\n`, recipient };
}

/**
 * Looks whether a recipient is one: a typing error would be found only when something is sealed for it.
 *
 * @throws USAGE
 */
export async function requireUsable(recipient: string): Promise<void> {
  const { Encrypter } = await import("age-encryption");
  try {
    new Encrypter().addRecipient(recipient);
  } catch (cause) {
    throw new IkomaError("USAGE", `${recipient} is no recipient of age: it has a typing error.`, { cause });
  }
}
