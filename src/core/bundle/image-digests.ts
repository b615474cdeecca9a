import { parseImageReference } from "../adapters/registry/image-reference.ts";
import type { ImageReference } from "../adapters/registry/image-reference.ts";
import { RegistryClient } from "../adapters/registry/registry-client.ts";
import { IkomaError, toIkomaError } from "../errors.ts";
import type { RegistryOptions } from "../adapters/registry/endpoint.ts";

/**
 * The image `name@sha256:…` for each service. A tag is looked up in its registry, all at the same time; what is
 * given by digest is taken as it is.
 *
 * @param references service → image reference without variables.
 * @throws IkomaError IMAGE_NOT_FOUND, REGISTRY_UNREACHABLE, REGISTRY_AUTH, naming the service.
 */
export async function resolveImages(
  references: ReadonlyMap<string, string>,
  options: RegistryOptions,
): Promise<Map<string, string>> {
  const client = new RegistryClient(options);
  const pending = new Map<string, Promise<string>>();
  const entries = [...references].map(async ([service, text]) => {
    const image = parseImageReference(text);
    const digest = image.digest ?? (await once(pending, text, () => lookUp(client, image, service)));
    return [service, `${image.familiarName}@${digest}`] as const;
  });
  return new Map(await Promise.all(entries));
}

async function lookUp(client: RegistryClient, image: ImageReference, service: string): Promise<string> {
  try {
    return await client.resolveDigest(image);
  } catch (thrown) {
    const error = toIkomaError(thrown);
    const { hint, details } = error;
    throw new IkomaError(error.code, `Image of ${service}: ${error.message}`, { hint, details, cause: error });
  }
}

function once(pending: Map<string, Promise<string>>, key: string, start: () => Promise<string>): Promise<string> {
  const promise = pending.get(key) ?? start();
  pending.set(key, promise);
  return promise;
}
