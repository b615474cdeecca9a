import { createHash } from "node:crypto";
import { IkomaError } from "../../errors.ts";
import type { ImageReference } from "./image-reference.ts";
import { RegistryConnection, type RegistryActions } from "./registry-connection.ts";
import type { RegistryOptions } from "./endpoint.ts";

/** A manifest as the registry has it: the exact bytes, and their digest. */
export interface StoredManifest {
  digest: string;
  mediaType: string;
  content: Uint8Array;
}

/** Kinds of manifest that are understood; an index comes first, so that an image of many platforms stays one. */
const manifestTypes = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

// Ample for a manifest (registries allow 4 MiB) and for a bundle.
const maxContentBytes = 4 * 1024 * 1024;
const sha256 = (content: Uint8Array): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;
const nameOf = (reference: ImageReference): string => reference.digest ?? reference.tag ?? "latest";
const textOf = (reference: ImageReference): string => {
  return `${reference.familiarName}${reference.digest === undefined ? `:${nameOf(reference)}` : `@${reference.digest}`}`;
};

/**
 * The little that is needed of the OCI distribution API (https://github.com/opencontainers/distribution-spec):
 * resolve, read and write manifests and small blobs. Credentials are those of `docker login`.
 *
 * Every method throws IkomaError: REGISTRY_UNREACHABLE, REGISTRY_AUTH, IMAGE_NOT_FOUND.
 */
export class RegistryClient {
  readonly #options: RegistryOptions;
  readonly #connections = new Map<string, RegistryConnection>();

  constructor(options: RegistryOptions = {}) {
    this.#options = options;
  }

  /** The digest that a tag stands for now; of the index where there is one. */
  async resolveDigest(reference: ImageReference): Promise<string> {
    const response = await this.#connection(reference).request("HEAD", `manifests/${nameOf(reference)}`, {
      headers: { accept: manifestTypes },
    });
    expectFound(response, reference);
    return response.headers.get("docker-content-digest") ?? (await this.manifest(reference)).digest;
  }

  /** Reads a manifest; one that is asked for by digest is checked against it. */
  async manifest(reference: ImageReference): Promise<StoredManifest> {
    const response = await this.#connection(reference).request("GET", `manifests/${nameOf(reference)}`, {
      headers: { accept: manifestTypes },
    });
    expectFound(response, reference);
    const content = await readBounded(response, reference);
    expectDigest(content, reference.digest, textOf(reference));
    const mediaType = response.headers.get("content-type") ?? "";
    return { digest: sha256(content), mediaType, content };
  }

  /** Reads a blob of at most 4 MiB and checks it against its digest. */
  async blob(reference: ImageReference, digest: string): Promise<Uint8Array> {
    const response = await this.#connection(reference).request("GET", `blobs/${digest}`);
    expectFound(response, reference);
    const content = await readBounded(response, reference);
    expectDigest(content, digest, textOf(reference));
    return content;
  }

  /** Stores a blob in the reference's repository; does nothing when it is there. */
  async putBlob(reference: ImageReference, content: Uint8Array<ArrayBuffer>): Promise<void> {
    const connection = this.#connection(reference, "pull,push");
    const digest = sha256(content);
    if ((await connection.request("HEAD", `blobs/${digest}`)).ok) return;
    const started = await connection.request("POST", "blobs/uploads/");
    const location = started.headers.get("location");
    if (started.status !== 202 || location === null) throw refused(reference, started);
    const upload = new URL(location, started.url);
    upload.searchParams.set("digest", digest);
    const headers = { "content-type": "application/octet-stream" };
    const stored = await connection.request("PUT", upload, { headers, body: content });
    if (stored.status !== 201) throw refused(reference, stored);
  }

  /** Stores a manifest under the reference's tag (or digest) and gives its digest. */
  async putManifest(reference: ImageReference, mediaType: string, content: Uint8Array<ArrayBuffer>): Promise<string> {
    const stored = await this.#connection(reference, "pull,push").request("PUT", `manifests/${nameOf(reference)}`, {
      headers: { "content-type": mediaType },
      body: content,
    });
    if (stored.status !== 201) throw refused(reference, stored);
    return sha256(content);
  }

  /** Lets a tag of the repository stand for what `reference` names by digest; does nothing when it does already. */
  async tag(reference: ImageReference, tag: string): Promise<void> {
    const { mediaType, content, digest } = await this.manifest(reference);
    const { registry, repository, familiarName } = reference;
    const tagged = { registry, repository, familiarName, tag };
    const present = await this.#connection(tagged).request("HEAD", `manifests/${tag}`, {
      headers: { accept: manifestTypes },
    });
    if (present.ok && present.headers.get("docker-content-digest") === digest) return;
    await this.putManifest(tagged, mediaType, Buffer.from(content));
  }

  /** Takes a manifest, named by digest, out of the registry together with its tags; nothing when it is not there. */
  async deleteManifest(reference: ImageReference): Promise<void> {
    const connection = this.#connection(reference, "pull,push,delete");
    const response = await connection.request("DELETE", `manifests/${nameOf(reference)}`);
    if (!response.ok && response.status !== 404) throw refused(reference, response);
  }

  #connection(reference: ImageReference, actions: RegistryActions = "pull"): RegistryConnection {
    const key = `${reference.registry}/${reference.repository}:${actions}`;
    const existing = this.#connections.get(key);
    if (existing !== undefined) return existing;
    const connection = new RegistryConnection(reference.registry, reference.repository, actions, this.#options);
    this.#connections.set(key, connection);
    return connection;
  }
}

function expectFound(response: Response, reference: ImageReference): void {
  if (response.status === 404) {
    throw new IkomaError("IMAGE_NOT_FOUND", `${textOf(reference)} is not in the registry ${reference.registry}.`);
  }
  if (!response.ok) throw refused(reference, response);
}

function expectDigest(content: Uint8Array, digest: string | undefined, what: string): void {
  if (digest === undefined || sha256(content) === digest) return;
  throw new IkomaError(
    "REGISTRY_UNREACHABLE",
    `The registry's answer for ${what} does not have the digest ${digest}.`,
    {
      hint: "The registry, a mirror or a proxy on the way changes or damages what it serves.",
      details: { expectedDigest: digest },
    },
  );
}

function refused(reference: ImageReference, response: Response): IkomaError {
  return new IkomaError(
    "REGISTRY_UNREACHABLE",
    `${reference.registry} answered ${response.status} for ${textOf(reference)}.`,
  );
}

async function readBounded(response: Response, reference: ImageReference): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    const body: AsyncIterable<Uint8Array> | undefined = response.body ?? undefined;
    for await (const chunk of body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > maxContentBytes) break;
      chunks.push(chunk);
    }
  } catch (cause) {
    throw new IkomaError("REGISTRY_UNREACHABLE", `The answer of ${reference.registry} was cut off.`, { cause });
  }
  if (bytes <= maxContentBytes) return Buffer.concat(chunks);
  throw new IkomaError("REGISTRY_UNREACHABLE", `${textOf(reference)} is larger than ${maxContentBytes} bytes.`);
}
