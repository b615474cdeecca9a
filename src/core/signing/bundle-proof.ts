import { gunzipSync, gzipSync } from "node:zlib";
import * as z from "zod";
import { parseBundleDocument } from "../bundle/bundle-document.ts";
import type { BundleManifest } from "../bundle/manifest.ts";
import { IkomaError, toIkomaError } from "../errors.ts";
import { digest as digestForm } from "../release/release-spec.ts";
import { bundleSignatures, findSigners, type BundleSignature, type TrustedKeys } from "./bundle-signature.ts";

/** As much as a registry's client reads of one, with room. */
const longestDocument = 8 * 1024 * 1024;

/** What a host needs to see for itself that a bundle is signed and what is in it: the document, packed, and signatures. */
export const bundleProof = z.strictObject({
  bundle: digestForm,
  /** gzip, then base64: a message to the agent has a bound. */
  document: z.base64(),
  signatures: bundleSignatures.min(1),
});
export type BundleProof = z.infer<typeof bundleProof>;

/** Undefined for a bundle that nobody has signed: there is nothing to prove then. */
export function proofOf(bundle: {
  readonly digest: string;
  readonly document: string;
  readonly signatures: readonly BundleSignature[];
}): BundleProof | undefined {
  const { digest, document, signatures } = bundle;
  if (signatures.length === 0) return undefined;
  return { bundle: digest, document: gzipSync(document).toString("base64"), signatures: [...signatures] };
}

/**
 * What a signed bundle holds, once it is sure that a trusted key has signed it and that this is its document.
 *
 * @param bundle the digest that is to run
 * @throws IkomaError BUNDLE_SIGNATURE_INVALID
 */
export function openProof(bundle: string, { document, signatures }: BundleProof, keys: TrustedKeys): BundleManifest {
  const { signers, refused } = findSigners(bundle, signatures, keys);
  if (signers.length === 0) {
    throw new IkomaError(
      "BUNDLE_SIGNATURE_INVALID",
      `No signature of the bundle ${bundle} counts: ${refused.join("; ")}.`,
      {
        hint: signHint,
        details: { trusted: Object.keys(keys) },
      },
    );
  }
  try {
    return parseBundleDocument(unpacked(document), "what was sent as the bundle", bundle).manifest;
  } catch (cause) {
    throw new IkomaError("BUNDLE_SIGNATURE_INVALID", toIkomaError(cause).message, {
      hint: "Deploy the bundle again as it was made; what was sent is not what was signed.",
      cause,
    });
  }
}

/** The next step where a bundle lacks a signature that counts. */
export const signHint =
  "If it is right, sign it (`ikoma bundle sign REFERENCE --sign-key FILE`) and run the same command again.";

function unpacked(document: string): string {
  try {
    return gunzipSync(Buffer.from(document, "base64"), { maxOutputLength: longestDocument }).toString("utf8");
  } catch (cause) {
    throw new IkomaError("BUNDLE_INVALID", "What was sent as the bundle cannot be unpacked.", { cause });
  }
}
