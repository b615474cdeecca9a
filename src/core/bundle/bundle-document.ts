import * as z from "zod";
import { canonicalJson } from "../canonical-json.ts";
import { IkomaError } from "../errors.ts";
import { bundleDocumentType, wrapDocument } from "./artifact.ts";
import { bundleManifest } from "./manifest.ts";
import type { BundleManifest } from "./manifest.ts";

/** A bundle that was read, and the digest that it has. */
export interface ParsedBundle {
  manifest: BundleManifest;
  digest: string;
  /** The exact text that the digest is of. */
  document: string;
}

const artifactManifest = z.looseObject({
  layers: z.tuple([z.looseObject({ mediaType: z.literal(bundleDocumentType), digest: z.string() })]),
});

/**
 * Reads a bundle's document. Only the canonical text is accepted: anything else was edited, and its digest would
 * depend on white space.
 *
 * @param where for messages: the file or reference that it is from.
 * @param expectedDigest the digest that it was asked for by.
 * @throws IkomaError BUNDLE_INVALID
 */
export function parseBundleDocument(document: string, where: string, expectedDigest?: string): ParsedBundle {
  const text = document.endsWith("\n") ? document.slice(0, -1) : document;
  const { digest } = wrapDocument(text);
  if (expectedDigest !== undefined && digest !== expectedDigest) {
    throw new IkomaError("BUNDLE_INVALID", `${where} was changed: it has the digest ${digest}, not ${expectedDigest}.`);
  }
  const value = parseJson(text);
  if (value === undefined || canonicalJson(value) !== text) {
    throw new IkomaError("BUNDLE_INVALID", `${where} is not a bundle as it was made: it is not canonical JSON.`);
  }
  return { manifest: checked(value, where), digest, document: text };
}

/**
 * The digest of the document in the manifest of a bundle's OCI artifact.
 *
 * @throws IkomaError BUNDLE_INVALID when it is the manifest of something else.
 */
export function documentDigest(ociManifest: string, where: string): string {
  const parsed = artifactManifest.safeParse(parseJson(ociManifest));
  if (parsed.success) return parsed.data.layers[0].digest;
  throw new IkomaError("BUNDLE_INVALID", `${where} is not a release bundle (an image, perhaps).`, {
    hint: "Give the reference that `ikoma bundle create --push` printed.",
  });
}

function checked(value: unknown, where: string): BundleManifest {
  const parsed = bundleManifest.safeParse(value);
  if (!parsed.success) {
    throw new IkomaError(
      "BUNDLE_INVALID",
      `${where} does not have the form of a bundle:\n${z.prettifyError(parsed.error)}`,
    );
  }
  const lost = parsed.data.routes.find((route) => parsed.data.services[route.service]?.kind !== "web");
  if (lost === undefined) return parsed.data;
  throw new IkomaError(
    "BUNDLE_INVALID",
    `${where} routes ${lost.path} to ${lost.service}, which is no web service of it.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
