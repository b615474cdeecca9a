import { isAbsolute, join } from "node:path";
import { parseImageReference } from "../adapters/registry/image-reference.ts";
import type { ImageReference } from "../adapters/registry/image-reference.ts";

/** Where a bundle is: in a file or in a registry, pinned to a digest or not. */
export type BundleReference =
  { kind: "file"; path: string; digest?: string } | { kind: "registry"; image: ImageReference; digest?: string };

const pinned = /^(?<place>.+)@(?<digest>sha256:[0-9a-f]{64})$/;

/**
 * Reads `registry/repository@sha256:…`, `registry/repository:tag`, or a path; a path starts with `.`, `/` or `~`
 * or ends in `.json`, and may be pinned too (`./shop.bundle.json@sha256:…`).
 *
 * @throws IkomaError USAGE when it is none of these.
 */
export function parseBundleReference(text: string): BundleReference {
  const groups = pinned.exec(text)?.groups;
  const place = groups?.place ?? text;
  const pin = groups?.digest === undefined ? {} : { digest: groups.digest };
  if (/^[./~]/.test(place) || place.endsWith(".json")) return { kind: "file", path: place, ...pin };
  return { kind: "registry", image: parseImageReference(text), ...pin };
}

/** The reference, where a relative path begins in this folder; one to a registry, and every other, as it is. */
export function referenceFrom(folder: string, text: string): string {
  const parsed = parseBundleReference(text);
  if (parsed.kind !== "file" || isAbsolute(parsed.path) || parsed.path.startsWith("~")) return text;
  return text.replace(parsed.path, join(folder, parsed.path));
}
