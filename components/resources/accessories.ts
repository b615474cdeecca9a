import * as pulumi from "@pulumi/pulumi";

export interface AccessoriesArgs {
  /** The app that they belong to. */
  app: pulumi.Input<string>;
  /** Compose services by name, every variable filled in, each with its `kind`. */
  services: pulumi.Input<Record<string, unknown>>;
  /** Named volumes that the services mount. Their names on the host are stable. */
  volumes?: pulumi.Input<Record<string, unknown>> | undefined;
  /** Values of the secrets that they use, by name; secrets themselves. They are masked in what the services print. */
  secrets?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
  /** Digest of the signed bundle that they are from, for a host that checks it. */
  bundle?: pulumi.Input<string> | undefined;
  /** Values of the variables that the bundle was filled with, as far as they are no secrets. */
  env?: pulumi.Input<Record<string, pulumi.Input<string>>> | undefined;
}

/** Long-lived services of an app. Deleting it stops them; their volumes stay. */
export class Accessories extends pulumi.CustomResource {
  constructor(name: string, args: AccessoriesArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:vps:Accessories", name, { ...args }, options);
  }
}
