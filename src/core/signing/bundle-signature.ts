import { createHash, createPublicKey, sign, verify, type KeyObject } from "node:crypto";
import * as z from "zod";
import { canonicalJson } from "../canonical-json.ts";
import { fingerprintOf, parsePublicKey } from "./signing-key.ts";

const base64 = z.base64().min(1);

/**
 * One signature of a bundle. `payload` is the text that was signed ("simple signing", as cosign writes it): it names
 * the digest of the bundle's manifest. Both are base64 of bytes.
 */
export const bundleSignature = z.strictObject({ payload: base64.max(16_384), signature: base64.max(1024) });
export type BundleSignature = z.infer<typeof bundleSignature>;

/** More are not looked at: each is a key of somebody who signs. */
export const mostSignatures = 32;
export const bundleSignatures = z.array(bundleSignature).max(mostSignatures);

/** Public keys in PEM, by name. */
export type TrustedKeys = Readonly<Record<string, string>>;

/** What signatures come to: who of the trusted keys has signed, and why the others do not count. */
export interface SignatureFindings {
  readonly signers: readonly string[];
  readonly refused: readonly string[];
}

const payloadType = "cosign container image signature";
const keyClaim = "ikoma.key";
const payloadForm = z.looseObject({
  critical: z.looseObject({
    type: z.literal(payloadType),
    image: z.looseObject({ "docker-manifest-digest": z.string() }),
  }),
  optional: z.record(z.string(), z.unknown()).nullish(),
});

/** Signs the digest of a bundle. `place` is the repository or app that it is of, for people: nobody checks it. */
export function signDigest(digest: string, place: string, key: KeyObject): BundleSignature {
  const payload = Buffer.from(
    canonicalJson({
      critical: {
        identity: { "docker-reference": place },
        image: { "docker-manifest-digest": digest },
        type: payloadType,
      },
      optional: { [keyClaim]: fingerprintOf(key) },
    }),
  );
  return { payload: payload.toString("base64"), signature: sign(hashOf(key), payload, key).toString("base64") };
}

/** Holds the signatures of a bundle against the keys that are trusted. A signature of another bundle counts for nothing. */
export function findSigners(
  digest: string,
  signatures: readonly BundleSignature[],
  keys: TrustedKeys,
): SignatureFindings {
  const found = signatures.slice(0, mostSignatures).map((each) => examine(digest, each, keys));
  const signers = found.flatMap((each) => ("signer" in each ? [each.signer] : []));
  return {
    signers: [...new Set(signers)],
    refused: found.flatMap((each) => ("refused" in each ? [each.refused] : [])),
  };
}

/** Whether this very key has signed the bundle already. */
export function isSignedBy(digest: string, signatures: readonly BundleSignature[], key: KeyObject): boolean {
  const pem = createPublicKey(key).export({ type: "spki", format: "pem" }).toString();
  return findSigners(digest, signatures, { own: pem }).signers.length > 0;
}

/** What a signature is called before anybody has checked it: the key that it says it is by, and digits of its own. */
export function signatureLabel({ payload, signature }: BundleSignature): string {
  const digits = createHash("sha256").update(signature).digest("hex").slice(0, 8);
  return `${claimedKey(payload) ?? "a key that is not named"} (${digits})`;
}

/** The digest that a signature says it is for, whoever has made it. */
export function signedDigest({ payload }: Pick<BundleSignature, "payload">): string | undefined {
  const said = payloadForm.safeParse(parseJson(Buffer.from(payload, "base64")));
  return said.data?.critical.image["docker-manifest-digest"];
}

function examine(
  digest: string,
  { payload, signature }: BundleSignature,
  keys: TrustedKeys,
): { signer: string } | { refused: string } {
  const bytes = Buffer.from(payload, "base64");
  const signer = Object.keys(keys).find((name) => isBy(keys[name] ?? "", bytes, Buffer.from(signature, "base64")));
  if (signer === undefined) {
    const by = claimedKey(payload) ?? "a key that is not named";
    return { refused: `one by ${by} does not fit any key that is trusted` };
  }
  const signed = signedDigest({ payload });
  if (signed === digest) return { signer };
  return { refused: `the one by ${signer} is for ${signed ?? "something that is no bundle"}, not for this bundle` };
}

function isBy(pem: string, payload: Buffer, signature: Buffer): boolean {
  const key = parsePublicKey(pem);
  return key !== undefined && verify(hashOf(key), payload, key, signature);
}

/** Ed25519 hashes by itself. */
function hashOf(key: KeyObject): string | null {
  return key.asymmetricKeyType === "ed25519" ? null : "sha256";
}

function claimedKey(payload: string): string | undefined {
  const claim = payloadForm.safeParse(parseJson(Buffer.from(payload, "base64"))).data?.optional?.[keyClaim];
  return typeof claim === "string" && /^SHA256:[A-Za-z0-9+/]{43}$/.test(claim) ? claim : undefined;
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}
