import * as z from "zod";
import { parseImageReference, type ImageReference } from "../../core/adapters/registry/image-reference.ts";
import { RegistryClient } from "../../core/adapters/registry/registry-client.ts";
import { readStoredImages, type StoredImage } from "../../core/adapters/registry/stored-image.ts";
import { IkomaError, toIkomaError } from "../../core/errors.ts";
import type { Computed, ResourceCall, ResourceHandler } from "../resource-handler.ts";

export const registryImageInputs = z.strictObject({
  /** Registry and path, without tag and digest: `registry.example/shop`. */
  repository: z.string().min(1),
  /** `sha256:…` of the manifest or index. */
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  /** Labels that every platform's image must carry. */
  labels: z.record(z.string(), z.string()).default({}),
  /** Platforms that it must exist for, such as `linux/amd64`. */
  platforms: z.array(z.string()).default([]),
  /** A tag that is to stand for the digest. */
  tag: z.string().min(1).optional(),
  /** Leave the image in the registry when the resource is deleted. */
  retain: z.boolean().default(true),
  /** It is gone back to: what its registry says holds that up no longer than it must. */
  isRollback: z.boolean().default(false),
});
type Inputs = z.infer<typeof registryImageInputs>;

// A read is part of every plan: a registry that is down must not hold up a rollback, which needs no registry.
const readTimeoutMs = 3_000;

/**
 * An image of a registry: that it is there by its digest, is what is expected, and has its tag. Its content cannot
 * change under a digest, so labels and platforms are read once, when it is applied.
 */
export const registryImage: ResourceHandler<typeof registryImageInputs> = {
  token: "ikoma:registry:Image",
  inputs: registryImageInputs,
  identity: ["repository"],
  silent: ["isRollback"],

  async read(call, { inputs, computed }) {
    const client = new RegistryClient({ timeoutMs: readTimeoutMs });
    try {
      if ((await digestAt(client, pinned(inputs))) === undefined)
        return { exists: true, drift: [{ path: "digest", message: "it is gone from the registry" }], computed };
      const at = inputs.tag === undefined ? inputs.digest : await digestAt(client, tagged(inputs, inputs.tag));
      const message = at === undefined ? "the tag is gone from the registry" : `the tag was moved to ${at}`;
      return { exists: true, drift: at === inputs.digest ? [] : [{ path: "tag", message }], computed };
    } catch (thrown) {
      warn(call, `not checked: ${toIkomaError(thrown).message}`);
      return { exists: true, drift: [], computed };
    }
  },

  create: async (call, inputs) => ({ id: inputs.repository, computed: await ensure(call, inputs, {}) }),
  update: (call, { computed }, inputs) => ensure(call, inputs, computed),

  async delete(call, { inputs }) {
    if (inputs.retain) return;
    const image = `${inputs.repository}@${inputs.digest}`;
    const reason = await reasonToKeep(call, inputs.digest);
    if (reason !== undefined) {
      warn(call, `${image} stays in the registry: ${reason}`);
      return;
    }
    try {
      await new RegistryClient().deleteManifest(pinned(inputs));
    } catch (thrown) {
      warn(call, `${image} stays in the registry: ${toIkomaError(thrown).message}`);
    }
  },
};

async function ensure(call: ResourceCall, inputs: Inputs, before: Computed): Promise<Computed> {
  if (!inputs.isRollback) return apply(inputs, new RegistryClient());
  try {
    return await apply(inputs, new RegistryClient({ timeoutMs: readTimeoutMs }));
  } catch (thrown) {
    warn(call, `not checked, and the rollback goes on: ${toIkomaError(thrown).message}`);
    return before;
  }
}

async function apply(inputs: Inputs, client: RegistryClient): Promise<Computed> {
  const reference = pinned(inputs);
  const images = await readStoredImages(client, reference);
  const problem = whyNotAsExpected(inputs, images);
  if (problem !== undefined) {
    throw new IkomaError("IMAGE_NOT_FOUND", `${inputs.repository}@${inputs.digest} is not the image: ${problem}.`, {
      hint: "Build and push it as it is expected, or correct the digest, `labels` or `platforms`.",
    });
  }
  if (inputs.tag !== undefined) await client.tag(reference, inputs.tag);
  return { images };
}

/** What of the expectations the images miss. */
function whyNotAsExpected({ labels, platforms }: Inputs, images: readonly StoredImage[]): string | undefined {
  const there = images.map((each) => each.platform);
  const missing = platforms.filter((each) => !there.includes(each));
  if (missing.length > 0) return `it is not for ${missing.join(", ")} but for ${there.join(", ")}`;
  for (const { platform, labels: found } of images) {
    for (const [name, value] of Object.entries(labels)) {
      const has = found[name] === undefined ? "is missing" : `is ${JSON.stringify(found[name])}`;
      if (found[name] !== value) return `the label ${name} ${has} for ${platform}, not ${JSON.stringify(value)}`;
    }
  }
  return undefined;
}

/** Why the image must stay; a host that cannot be asked is one, for it may need it. */
async function reasonToKeep(call: ResourceCall, digest: string): Promise<string | undefined> {
  for (const host of call.everyHost()) {
    try {
      const { images } = await (await host.agent()).call("images.needed", {});
      if (images.some((each) => each.endsWith(`@${digest}`))) return `${host.name} runs it or can be rolled back to it`;
    } catch (thrown) {
      return `${host.name} cannot be asked whether it needs it (${toIkomaError(thrown).message})`;
    }
  }
  return undefined;
}

async function digestAt(client: RegistryClient, reference: ImageReference): Promise<string | undefined> {
  try {
    return await client.resolveDigest(reference);
  } catch (thrown) {
    if (thrown instanceof IkomaError && thrown.code === "IMAGE_NOT_FOUND") return undefined;
    throw thrown;
  }
}

function pinned({ repository, digest }: Inputs): ImageReference {
  return parseImageReference(`${repository}@${digest}`);
}

function tagged({ repository }: Inputs, tag: string): ImageReference {
  return parseImageReference(`${repository}:${tag}`);
}

function warn(call: ResourceCall, message: string): void {
  call.onEvent({ seq: 1, atMs: Date.now(), type: "warning", name: "registry", message });
}
