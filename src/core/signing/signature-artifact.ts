import * as z from "zod";
import { canonicalJson } from "../canonical-json.ts";
import { ociManifestType, sha256 } from "../bundle/artifact.ts";
import { mostSignatures, type BundleSignature } from "./bundle-signature.ts";

// How cosign keeps signatures beside an image (specs/SIGNATURE_SPEC.md of sigstore/cosign): one manifest under a tag
// that is made from the digest, a layer for each payload, the signature in an annotation of it.
const payloadMediaType = "application/vnd.dev.cosign.simplesigning.v1+json";
const configMediaType = "application/vnd.oci.image.config.v1+json";
const annotation = "dev.cosignproject.cosign/signature";

const layer = z.looseObject({
  mediaType: z.string(),
  digest: z.string(),
  size: z.number(),
  annotations: z.record(z.string(), z.string()).nullish(),
});
const manifestForm = z.looseObject({ layers: z.array(layer) });
type Layer = z.infer<typeof layer>;

/** The tag that the signatures of a digest are under. */
export function signatureTag(digest: string): string {
  return `${digest.replace(":", "-")}.sig`;
}

/** A signature in a manifest: the digest of its payload's blob, and the signature itself. */
export interface SignatureLayer {
  readonly payloadDigest: string;
  readonly signature: string;
}

/** The signatures that a manifest names; those of other formats are passed over. */
export function signatureLayers(manifest: string): SignatureLayer[] {
  const { layers } = manifestForm.parse(JSON.parse(manifest));
  return layers.slice(0, mostSignatures).flatMap(({ mediaType, digest, annotations }) => {
    const signature = annotations?.[annotation];
    return mediaType === payloadMediaType && signature !== undefined ? [{ payloadDigest: digest, signature }] : [];
  });
}

/**
 * What is to be stored for signatures in addition to those of a manifest: blobs, then the manifest around all. What
 * others wrote there (cosign's certificates, layers of other formats) stays as it is.
 */
export function signatureArtifact(
  added: readonly BundleSignature[],
  before: string | undefined,
): { blobs: Buffer[]; manifest: string } {
  const payloads = added.map(({ payload }) => Buffer.from(payload, "base64"));
  const kept: readonly Layer[] = before === undefined ? [] : manifestForm.parse(JSON.parse(before)).layers;
  const layers = [
    ...kept,
    ...added.map(({ signature }, index) => {
      const payload = payloads[index] ?? Buffer.alloc(0);
      return { ...descriptor(payloadMediaType, payload), annotations: { [annotation]: signature } };
    }),
  ];
  const config = Buffer.from(
    canonicalJson({
      architecture: "",
      os: "",
      config: {},
      created: "0001-01-01T00:00:00Z",
      history: layers.map(() => ({ created: "0001-01-01T00:00:00Z" })),
      rootfs: { type: "layers", diff_ids: layers.map(({ digest }) => digest) },
    }),
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifestType,
    config: descriptor(configMediaType, config),
    layers,
  };
  return { blobs: [config, ...payloads], manifest: canonicalJson(manifest) };
}

function descriptor(mediaType: string, content: Buffer): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: sha256(content), size: content.byteLength };
}
