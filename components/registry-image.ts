import * as pulumi from "@pulumi/pulumi";
import type { HostProvider } from "./resources/host-provider.ts";
import { RegistryImageResource, type RegistryImageResourceArgs } from "./resources/registry-image.ts";

export interface RegistryImageArgs extends Omit<RegistryImageResourceArgs, "repository" | "digest"> {
  /** The host that it is for; its agent knows whether the image is still needed. */
  provider: HostProvider;
  /** The image, by digest: `registry.example/shop@sha256:…`. */
  image: string;
}

/** An image that has to be in its registry before it is deployed, and as long as a release may need it. */
export class RegistryImage extends pulumi.ComponentResource {
  readonly resource: RegistryImageResource;

  constructor(name: string, args: RegistryImageArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:RegistryImage", name, {}, options);
    const { provider, image, ...expected } = args;
    const [named = "", digest = ""] = image.split("@");
    // A tag beside the digest says nothing more.
    const repository = named.replace(/:[^/:]*$/, "");
    this.resource = new RegistryImageResource(name, { repository, digest, ...expected }, { parent: this, provider });
    this.registerOutputs({});
  }
}
