import type { KeyObject } from "node:crypto";
import type { RegistryOptions } from "../adapters/registry/endpoint.ts";
import { isSignedBy, signDigest } from "./bundle-signature.ts";
import { addSignatures, readSignatures } from "./signature-store.ts";
import { fingerprintOf } from "./signing-key.ts";

/** What came of signing. */
export interface Signed {
  /** Fingerprint of the key. */
  readonly key: string;
  /** False where this key had signed the bundle already: nothing was changed then. */
  readonly isNew: boolean;
}

/**
 * Signs a bundle and stores the signature beside it, once for each key.
 *
 * @param reference pinned
 * @throws IkomaError REGISTRY_UNREACHABLE, REGISTRY_AUTH, USAGE
 */
export async function signBundle(reference: string, key: KeyObject, options: RegistryOptions = {}): Promise<Signed> {
  const [, place = "", digest = ""] = /^(.+)@(sha256:[0-9a-f]{64})$/.exec(reference) ?? [];
  const { signatures } = await readSignatures(reference, options);
  const isNew = !isSignedBy(digest, signatures, key);
  if (isNew) await addSignatures(reference, [signDigest(digest, place, key)], options);
  return { key: fingerprintOf(key), isNew };
}
