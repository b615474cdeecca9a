import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import { IkomaError } from "../errors.ts";
import { errorMessage } from "../system-error.ts";

/** A secret of an app in an environment. */
export interface SecretKey {
  readonly environment: string;
  readonly app: string;
  readonly name: string;
}

/** What makes a version the one that it is: sealed together with its value, and signed. */
export interface VersionHead extends SecretKey {
  /** From 1. */
  readonly version: number;
  /** Unix time, ms; of the clock of who wrote it. */
  readonly createdAtMs: number;
}

/** A value that nobody can read without an identity. */
export interface SealedValue {
  /** AES-256-GCM under a data key of its own: nonce, ciphertext, tag. */
  readonly content: Buffer;
  /** `sha256:…` of it. */
  readonly contentDigest: string;
  /** The data key, encrypted with age for the recipients. */
  readonly wrappedKey: Buffer;
}

const algorithm = "aes-256-gcm";
const [keyBytes, nonceBytes, tagBytes] = [32, 12, 16];

/** Seals a value for recipients of age (`age1…`); whoever seals cannot open. */
export async function sealValue(head: VersionHead, value: string, recipients: readonly string[]): Promise<SealedValue> {
  const [key, nonce] = [randomBytes(keyBytes), randomBytes(nonceBytes)];
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(Buffer.from(headText(head)));
  const content = Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return { content, contentDigest: digestOf(content), wrappedKey: await wrap(key, recipients) };
}

/**
 * The value of a version.
 *
 * @param identities of age (`AGE-SECRET-KEY-1…`)
 * @throws STORE_IDENTITY where none of them opens it, STORE_TAMPERED where it was sealed as another version, or altered
 */
export async function openValue(
  head: VersionHead,
  { content, wrappedKey }: Pick<SealedValue, "content" | "wrappedKey">,
  identities: readonly string[],
): Promise<string> {
  return unseal(head, content, await unwrap(head, wrappedKey, identities));
}

/** The data key of a version for other recipients. It has to be the key of that value: what does not open is not passed on. */
export async function rewrapKey(
  head: VersionHead,
  { content, wrappedKey }: Pick<SealedValue, "content" | "wrappedKey">,
  identities: readonly string[],
  recipients: readonly string[],
): Promise<Buffer> {
  const key = await unwrap(head, wrappedKey, identities);
  unseal(head, content, key);
  return wrap(key, recipients);
}

/** The text that a writer signs: which version it is, and what it holds (null where the secret is removed). */
export function statementText(head: VersionHead, contentDigest: string | null): string {
  return canonicalJson({ ...fieldsOf(head), content: contentDigest });
}

/** `sha256:…` */
export function digestOf(content: Buffer): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** `prod/shop/API_KEY version 3` */
export function versionLabel({ environment, app, name, version }: VersionHead): string {
  return `${environment}/${app}/${name} version ${version}`;
}

/** What is in the store is not what was put there. */
export function tampered(head: VersionHead, what: string, cause?: unknown): IkomaError {
  return new IkomaError("STORE_TAMPERED", `${versionLabel(head)} does not count: ${what}.`, { cause });
}

function headText(head: VersionHead): string {
  return canonicalJson(fieldsOf(head));
}

/** Only these, whatever else the caller's object has. */
function fieldsOf({ environment, app, name, version, createdAtMs }: VersionHead) {
  return { kind: "ikoma-secret/1", environment, app, name, version, createdAtMs };
}

function unseal(head: VersionHead, content: Buffer, key: Buffer): string {
  try {
    const [nonce, tag] = [content.subarray(0, nonceBytes), content.subarray(-tagBytes)];
    const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
    decipher.setAAD(Buffer.from(headText(head))).setAuthTag(tag);
    const text = Buffer.concat([decipher.update(content.subarray(nonceBytes, -tagBytes)), decipher.final()]);
    return text.toString("utf8");
  } catch (cause) {
    throw tampered(head, "its value was sealed as something else, or altered", cause);
  }
}

async function wrap(key: Buffer, recipients: readonly string[]): Promise<Buffer> {
  const { Encrypter } = await import("age-encryption");
  const encrypter = new Encrypter();
  for (const each of recipients) encrypter.addRecipient(each);
  return Buffer.from(await encrypter.encrypt(key));
}

async function unwrap(head: VersionHead, wrappedKey: Buffer, identities: readonly string[]): Promise<Buffer> {
  const { Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  for (const each of identities) decrypter.addIdentity(each);
  try {
    return Buffer.from(await decrypter.decrypt(wrappedKey));
  } catch (cause) {
    if (!/no identity matched/.test(errorMessage(cause))) throw tampered(head, "its data key cannot be read", cause);
    throw new IkomaError("STORE_IDENTITY", `${versionLabel(head)} is not sealed for the identity that is here.`, {
      hint: "Somebody who can read it adds you: `ikoma secrets recipients add NAME age1…`.",
    });
  }
}
