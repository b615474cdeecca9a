import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { parseImageReference } from "../adapters/registry/image-reference.ts";
import type { ImageReference } from "../adapters/registry/image-reference.ts";
import type { RegistryOptions } from "../adapters/registry/endpoint.ts";
import { RegistryClient } from "../adapters/registry/registry-client.ts";
import { IkomaError, toIkomaError } from "../errors.ts";
import { errorMessage } from "../system-error.ts";
import { bundleArtifact, emptyConfig, ociManifestType } from "./artifact.ts";
import { readCached, writeAtomically, writeCached } from "./bundle-cache.ts";
import { documentDigest, parseBundleDocument } from "./bundle-document.ts";
import type { ParsedBundle } from "./bundle-document.ts";
import { parseBundleReference } from "./bundle-reference.ts";
import type { BundleManifest } from "./manifest.ts";

/** A bundle and how to ask for exactly this one again. */
export interface LoadedBundle extends ParsedBundle {
  /** Pinned: `registry/repository@sha256:…` or `path@sha256:…`. */
  reference: string;
}

/**
 * Reads a bundle from a file or a registry. One that is pinned to a digest comes from the cache when it was seen
 * before, without asking anybody.
 *
 * @param reference see {@link parseBundleReference}.
 * @throws IkomaError BUNDLE_NOT_FOUND, BUNDLE_INVALID, REGISTRY_UNREACHABLE, REGISTRY_AUTH
 */
export async function readBundle(reference: string, options: RegistryOptions = {}): Promise<LoadedBundle> {
  const parsed = parseBundleReference(reference);
  const place = parsed.kind === "file" ? parsed.path : parsed.image.familiarName;
  const cached = parsed.digest === undefined ? undefined : await readCached(parsed.digest);
  const bundle = cached ?? (await fetchBundle(reference, parsed, options));
  return { ...bundle, reference: `${place}@${bundle.digest}` };
}

/**
 * Writes a bundle's document to a file.
 *
 * @returns the pinned reference, `path@sha256:…`.
 */
export async function writeBundleFile(manifest: BundleManifest, path: string): Promise<string> {
  const { document, digest } = bundleArtifact(manifest);
  try {
    await writeAtomically(path, `${document}\n`);
  } catch (cause) {
    throw new IkomaError("USAGE", `${path} cannot be written: ${errorMessage(cause)}`, { cause });
  }
  await writeCached(digest, document);
  // Without a path's look it would be taken for a reference to a registry.
  return `${/^[./~]/.test(path) || path.endsWith(".json") ? path : `./${path}`}@${digest}`;
}

/**
 * Stores a bundle in a registry, under the tag of the target or else its version.
 *
 * @returns the pinned reference, `registry/repository@sha256:…`.
 * @throws IkomaError REGISTRY_UNREACHABLE, REGISTRY_AUTH
 */
export async function pushBundle(
  manifest: BundleManifest,
  target: string,
  options: RegistryOptions = {},
): Promise<string> {
  const parsed = parseImageReference(target);
  const image = { ...parsed, tag: parsed.tag ?? tagOf(manifest.version) };
  const { document, digest, ociManifest } = bundleArtifact(manifest);
  const client = new RegistryClient(options);
  for (const blob of [emptyConfig, document]) await client.putBlob(image, Buffer.from(blob));
  await client.putManifest(image, ociManifestType, Buffer.from(ociManifest));
  await writeCached(digest, document);
  return `${image.familiarName}@${digest}`;
}

/** Tags allow fewer characters than versions (`1.2.0+build` is usual). */
function tagOf(version: string): string {
  return version.replace(/[^\w.-]/g, "-").replace(/^[.-]+/, "") || "latest";
}

type Parsed = ReturnType<typeof parseBundleReference>;

async function fetchBundle(reference: string, parsed: Parsed, options: RegistryOptions): Promise<ParsedBundle> {
  switch (parsed.kind) {
    case "file":
      return keep(await readDocument(parsed.path), parsed.path, parsed.digest);
    case "registry":
      try {
        return await pullBundle(reference, parsed.image, new RegistryClient(options));
      } catch (thrown) {
        throw asBundleError(thrown, reference);
      }
  }
}

async function keep(document: string, where: string, expectedDigest?: string): Promise<ParsedBundle> {
  const bundle = parseBundleDocument(document, where, expectedDigest);
  await writeCached(bundle.digest, document);
  return bundle;
}

async function readDocument(path: string): Promise<string> {
  try {
    return await readFile(path.replace(/^~(?=\/)/, homedir()), "utf8");
  } catch (cause) {
    throw new IkomaError("BUNDLE_NOT_FOUND", `There is no readable bundle at ${path}.`, { cause });
  }
}

async function pullBundle(reference: string, image: ImageReference, client: RegistryClient): Promise<ParsedBundle> {
  const stored = await client.manifest(image);
  const cached = await readCached(stored.digest);
  if (cached !== undefined) return cached;
  const layer = documentDigest(Buffer.from(stored.content).toString("utf8"), reference);
  const document = Buffer.from(await client.blob(image, layer)).toString("utf8");
  // Proves too that the artifact is wrapped as this program does it: one digest for file and registry.
  return keep(document, reference, stored.digest);
}

/** In the words of bundles: the registry's client speaks of images. */
function asBundleError(thrown: unknown, reference: string): IkomaError {
  const error = toIkomaError(thrown);
  if (error.code === "IMAGE_NOT_FOUND")
    return new IkomaError("BUNDLE_NOT_FOUND", `There is no bundle ${reference}.`, { cause: error });
  if (error.details.expectedDigest === undefined) return error;
  return new IkomaError("BUNDLE_INVALID", error.message, { hint: error.hint, cause: error });
}
