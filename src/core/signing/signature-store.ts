import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import * as z from "zod";
import type { RegistryOptions } from "../adapters/registry/endpoint.ts";
import type { ImageReference } from "../adapters/registry/image-reference.ts";
import { RegistryClient } from "../adapters/registry/registry-client.ts";
import { ociManifestType } from "../bundle/artifact.ts";
import { readCachedSignatures, writeAtomically, writeCachedSignatures } from "../bundle/bundle-cache.ts";
import { parseBundleReference } from "../bundle/bundle-reference.ts";
import { IkomaError, toIkomaError } from "../errors.ts";
import { errorCode } from "../system-error.ts";
import { bundleSignatures, signedDigest, type BundleSignature } from "./bundle-signature.ts";
import { signatureArtifact, signatureLayers, signatureTag } from "./signature-artifact.ts";

/** A deploy does not wait longer for a registry that hangs: most hosts ask for no signature. */
const readTimeoutMs = 5000;

const signatureFile = z.strictObject({ signatures: bundleSignatures });

/** Signatures as far as they could be read. */
export interface ReadSignatures {
  readonly signatures: readonly BundleSignature[];
  /** Why they may not be all: for whoever is refused for want of one. */
  readonly problem?: string;
}

const ahead = new Map<string, Promise<ReadSignatures>>();

/** Begins to read what {@link readSignatures} will soon be asked for. */
export function prefetchSignatures(reference: string): void {
  if (!/@sha256:[0-9a-f]{64}$/.test(reference)) return;
  const begun = read(reference, {});
  // Whoever asks gets the failure; nobody may come to ask.
  begun.catch(() => undefined);
  ahead.set(reference, begun);
}

/**
 * The signatures that are stored beside a bundle. Where the registry does not answer, those that were seen before:
 * a signature that was good once is good, and the host checks it in any case.
 *
 * @param reference pinned: `registry/repository@sha256:…` or `path@sha256:…`
 */
export function readSignatures(reference: string, options: RegistryOptions = {}): Promise<ReadSignatures> {
  const begun = ahead.get(reference) ?? read(reference, options);
  ahead.delete(reference);
  return begun;
}

/**
 * Stores signatures beside a bundle, in addition to those that are there.
 *
 * @param reference pinned
 * @throws IkomaError REGISTRY_UNREACHABLE, REGISTRY_AUTH, USAGE
 */
export async function addSignatures(
  reference: string,
  added: readonly BundleSignature[],
  options: RegistryOptions = {},
): Promise<void> {
  const { place, digest } = placeOf(reference);
  const signatures =
    typeof place === "string"
      ? await addToFile(place, digest, added)
      : await addToRegistry(place, digest, added, options);
  await writeCachedSignatures(digest, JSON.stringify({ signatures }));
}

async function read(reference: string, options: RegistryOptions): Promise<ReadSignatures> {
  const { place, digest } = placeOf(reference);
  try {
    const client = new RegistryClient({ timeoutMs: readTimeoutMs, ...options });
    const signatures = typeof place === "string" ? await readFromFile(place) : await pull(place, digest, client);
    if (signatures.some(isFor(digest))) await writeCachedSignatures(digest, JSON.stringify({ signatures }));
    // A file that another bundle was written to since has the signatures of that one.
    else if (typeof place === "string") return { signatures: (await seenBefore(digest)) ?? signatures };
    return { signatures };
  } catch (thrown) {
    return { signatures: (await seenBefore(digest)) ?? [], problem: toIkomaError(thrown).message };
  }
}

async function seenBefore(digest: string): Promise<BundleSignature[] | undefined> {
  return signatureFile.safeParse(parseJson(await readCachedSignatures(digest))).data?.signatures;
}

function isFor(digest: string): (signature: BundleSignature) => boolean {
  return (signature) => signedDigest(signature) === digest;
}

/** Where signatures are kept: a file beside the bundle's, or its repository. */
function placeOf(reference: string): { place: string | ImageReference; digest: string } {
  const parsed = parseBundleReference(reference);
  if (parsed.digest === undefined) throw new TypeError(`${reference} is not pinned`);
  const place = parsed.kind === "file" ? `${parsed.path.replace(/^~(?=\/)/, homedir())}.sig` : parsed.image;
  return { place, digest: parsed.digest };
}

async function pull(image: ImageReference, digest: string, client: RegistryClient): Promise<BundleSignature[]> {
  return signaturesOf(image, await storedManifest(image, digest, client), client);
}

/** Undefined where there are no signatures. */
async function storedManifest(
  image: ImageReference,
  digest: string,
  client: RegistryClient,
): Promise<string | undefined> {
  const stored = await client.manifest(tagged(image, digest)).catch((thrown: unknown) => {
    if (toIkomaError(thrown).code === "IMAGE_NOT_FOUND") return undefined;
    throw thrown;
  });
  return stored && Buffer.from(stored.content).toString("utf8");
}

async function signaturesOf(
  image: ImageReference,
  manifest: string | undefined,
  client: RegistryClient,
): Promise<BundleSignature[]> {
  const layers = manifest === undefined ? [] : signatureLayers(manifest);
  const signatures = layers.map(async ({ payloadDigest, signature }) => {
    return { payload: Buffer.from(await client.blob(image, payloadDigest)).toString("base64"), signature };
  });
  return bundleSignatures.parse(await Promise.all(signatures));
}

/** A registry has no compare-and-swap: of two that sign the same bundle in the same moment one may be lost, as with cosign. */
async function addToRegistry(
  image: ImageReference,
  digest: string,
  added: readonly BundleSignature[],
  options: RegistryOptions,
): Promise<BundleSignature[]> {
  const client = new RegistryClient(options);
  const before = await storedManifest(image, digest, client);
  const signatures = [...(await signaturesOf(image, before, client)), ...added];
  const { blobs, manifest } = signatureArtifact(added, before);
  for (const blob of blobs) await client.putBlob(image, Buffer.from(blob));
  await client.putManifest(tagged(image, digest), ociManifestType, Buffer.from(manifest));
  return signatures;
}

async function readFromFile(path: string): Promise<BundleSignature[]> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return [];
  const parsed = signatureFile.safeParse(parseJson(text));
  if (parsed.success) return parsed.data.signatures;
  throw new IkomaError("BUNDLE_SIGNATURE_INVALID", `${path} does not have the form of a file of signatures.`, {
    hint: "Take it away and sign again: `ikoma bundle sign`.",
  });
}

/** Those of another bundle, which had that path before, go: the file would grow with each build. */
async function addToFile(path: string, digest: string, added: readonly BundleSignature[]): Promise<BundleSignature[]> {
  const signatures = [...(await readFromFile(path)).filter(isFor(digest)), ...added];
  await writeAtomically(path, `${JSON.stringify({ signatures }, undefined, 1)}\n`);
  return signatures;
}

function tagged({ registry, repository, familiarName }: ImageReference, digest: string): ImageReference {
  return { registry, repository, familiarName, tag: signatureTag(digest) };
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}
