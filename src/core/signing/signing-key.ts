import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { IkomaError } from "../errors.ts";

/** Both halves as PEM text: the private one PKCS#8, encrypted where there is a passphrase, the public one SPKI. */
export interface KeyPair {
  readonly privateKeyPem: string;
  readonly publicKeyPem: string;
}

/** Makes an ECDSA P-256 pair: the one kind that every checker of cosign's format has to know. */
export function createKeyPair(passphrase?: string): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const lock = passphrase === undefined ? {} : { cipher: "aes-256-cbc", passphrase };
  return {
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem", ...lock }).toString(),
    publicKeyPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
  };
}

/**
 * Reads a private key to sign with.
 *
 * @param where for messages: the file or variable that it is from
 * @throws IkomaError SIGNING_KEY_INVALID
 */
export function readPrivateKey(pem: string, passphrase: string | undefined, where: string): KeyObject {
  if (isEncrypted(pem) && passphrase === undefined) {
    throw new IkomaError("SIGNING_KEY_INVALID", `The key of ${where} is encrypted, and no passphrase is given.`, {
      hint: "Set IKOMA_SIGN_PASSPHRASE, or pipe the passphrase in with --passphrase-stdin.",
    });
  }
  const key = attempt(() => createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) }));
  if (key !== undefined && isUsable(key)) return key;
  // The library's own words are left out: they may quote the text.
  const why = isEncrypted(pem) ? "cannot be opened with that passphrase" : "is no ECDSA P-256 or Ed25519 key in PEM";
  throw new IkomaError("SIGNING_KEY_INVALID", `The key of ${where} ${why}.`, {
    hint: "Make one with `ikoma bundle keygen NAME`. A key of cosign's own format cannot be read; cosign can read ours (`cosign import-key-pair`).",
  });
}

/** A public key to check signatures with; undefined where the text is none. */
export function parsePublicKey(pem: string): KeyObject | undefined {
  if (pem.includes("PRIVATE KEY")) return undefined;
  const key = attempt(() => createPublicKey(pem));
  return key !== undefined && isUsable(key) ? key : undefined;
}

/** What a key, private or public, is known by to people: `SHA256:…` over the public half, as SSH shows its keys. */
export function fingerprintOf(key: KeyObject): string {
  const bytes = (key.type === "private" ? createPublicKey(key) : key).export({ type: "spki", format: "der" });
  return `SHA256:${createHash("sha256").update(bytes).digest("base64").replace(/=+$/, "")}`;
}

/** Whether a private key's text needs a passphrase. */
export function isEncrypted(pem: string): boolean {
  return pem.includes("ENCRYPTED PRIVATE KEY");
}

function isUsable(key: KeyObject): boolean {
  if (key.asymmetricKeyType === "ed25519") return true;
  return key.asymmetricKeyType === "ec" && key.asymmetricKeyDetails?.namedCurve === "prime256v1";
}

function attempt(read: () => KeyObject): KeyObject | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
