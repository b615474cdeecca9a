import { IkomaError } from "../errors.ts";
import { findSigners, type TrustedKeys } from "./bundle-signature.ts";
import { signHint } from "./bundle-proof.ts";
import type { ReadSignatures } from "./signature-store.ts";

/** A bundle by its pinned reference, with what was read of its signatures. */
export interface SignedReference extends ReadSignatures {
  readonly reference: string;
  readonly digest: string;
}

/**
 * Names of the trusted keys that have signed a bundle, at least one.
 *
 * @throws IkomaError BUNDLE_UNSIGNED, BUNDLE_SIGNATURE_INVALID; USAGE without any key
 */
export function requireSigner(
  { reference, digest, signatures, problem }: SignedReference,
  keys: TrustedKeys,
): readonly string[] {
  const names = Object.keys(keys).sort();
  if (names.length === 0) {
    throw new IkomaError("USAGE", "Check it with which key?", {
      hint: "Name the file of a public key with --key, or run in the folder of Pulumi.hosts.yaml, whose hosts name some.",
    });
  }
  const { signers, refused } = findSigners(digest, signatures, keys);
  if (signers.length > 0) return signers;
  const details = { trusted: names };
  if (signatures.length === 0) {
    const why = problem === undefined ? "" : ` Its signatures could not be read: ${problem}`;
    throw new IkomaError("BUNDLE_UNSIGNED", `${reference} is not signed.${why}`, { hint: signHint, details });
  }
  throw new IkomaError(
    "BUNDLE_SIGNATURE_INVALID",
    `No signature of ${reference} counts: ${refused.join("; ")}. Trusted: ${names.join(", ")}.`,
    { hint: signHint, details },
  );
}
