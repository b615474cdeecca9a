import { createHash } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import { bundleManifest } from "./manifest.ts";
import type { BundleManifest } from "./manifest.ts";

export const bundleArtifactType = "application/vnd.ikoma.bundle.v1";
export const bundleDocumentType = "application/vnd.ikoma.bundle.v1+json";
export const ociManifestType = "application/vnd.oci.image.manifest.v1+json";

/** The OCI form of "no configuration": the two bytes `{}`. */
export const emptyConfig = "{}";
const emptyConfigType = "application/vnd.oci.empty.v1+json";

/** A bundle as a registry stores it: an image manifest around one layer, the document. */
export interface BundleArtifact {
  /** Digest of `ociManifest`: the bundle's own, whether it is in a registry or in a file. */
  digest: string;
  /** The exact bytes of the OCI manifest. */
  ociManifest: string;
  /** The exact bytes of the layer. */
  document: string;
}

/** `sha256:…` of a text's UTF-8 bytes. */
export function sha256(content: string | Uint8Array): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** Wraps a document. Nothing in it depends on time or place, so equal documents have equal digests. */
export function wrapDocument(document: string): BundleArtifact {
  const ociManifest = canonicalJson({
    schemaVersion: 2,
    mediaType: ociManifestType,
    artifactType: bundleArtifactType,
    config: descriptor(emptyConfigType, emptyConfig),
    layers: [descriptor(bundleDocumentType, document)],
  });
  return { digest: sha256(ociManifest), ociManifest, document };
}

/** The artifact of a bundle: defaults filled in, canonical, wrapped. */
export function bundleArtifact(manifest: BundleManifest): BundleArtifact {
  return wrapDocument(canonicalJson(bundleManifest.parse(manifest)));
}

function descriptor(mediaType: string, content: string): { mediaType: string; digest: string; size: number } {
  return { mediaType, digest: sha256(content), size: Buffer.byteLength(content) };
}
