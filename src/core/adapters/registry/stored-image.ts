import * as z from "zod";
import type { ImageReference } from "./image-reference.ts";
import type { RegistryClient } from "./registry-client.ts";

/** One platform's image, as its registry has it. */
export interface StoredImage {
  /** `linux/amd64`, `linux/arm/v7` */
  platform: string;
  labels: Readonly<Record<string, string>>;
}

const platform = z.looseObject({ os: z.string(), architecture: z.string(), variant: z.string().optional() });
const index = z.looseObject({
  manifests: z.array(z.looseObject({ digest: z.string(), platform: platform.optional() })),
});
const manifest = z.looseObject({ config: z.looseObject({ digest: z.string() }) });
const config = z.looseObject({
  os: z.string().default("unknown"),
  architecture: z.string().default("unknown"),
  variant: z.string().optional(),
  config: z.looseObject({ Labels: z.record(z.string(), z.string()).nullish() }).nullish(),
});

/**
 * Every platform of the image that `reference` stands for, with its labels: manifests and configurations only, no
 * layer is read. Attestations that builders put beside the images are left out.
 *
 * @throws IkomaError IMAGE_NOT_FOUND, REGISTRY_UNREACHABLE, REGISTRY_AUTH.
 */
export async function readStoredImages(client: RegistryClient, reference: ImageReference): Promise<StoredImage[]> {
  const found = jsonOf((await client.manifest(reference)).content);
  const listed = index.safeParse(found);
  if (!listed.success) return [await readOne(client, reference, found)];
  const images = listed.data.manifests.filter((each) => each.platform?.os !== "unknown");
  return Promise.all(
    images.map(async ({ digest }) => {
      const each = { ...reference, digest };
      return readOne(client, each, jsonOf((await client.manifest(each)).content));
    }),
  );
}

async function readOne(client: RegistryClient, reference: ImageReference, content: unknown): Promise<StoredImage> {
  const { digest } = manifest.parse(content).config;
  const found = config.parse(jsonOf(await client.blob(reference, digest)));
  const parts = [found.os, found.architecture, found.variant].filter((each) => each !== undefined && each !== "");
  return { platform: parts.join("/"), labels: found.config?.Labels ?? {} };
}

function jsonOf(content: Uint8Array): unknown {
  return JSON.parse(Buffer.from(content).toString("utf8"));
}
