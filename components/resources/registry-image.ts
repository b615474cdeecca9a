import * as pulumi from "@pulumi/pulumi";

export interface RegistryImageResourceArgs {
  /** Registry and path, without tag and digest: `registry.example/shop`. Another one is another resource. */
  repository: pulumi.Input<string>;
  /** `sha256:…` of the manifest or index. */
  digest: pulumi.Input<string>;
  /** Labels that every platform's image must carry. */
  labels?: pulumi.Input<Record<string, string>> | undefined;
  /** Platforms that it must exist for, such as `linux/amd64`. */
  platforms?: pulumi.Input<pulumi.Input<string>[]> | undefined;
  /** A tag that is to stand for the digest; it is put there, and put back when somebody moves it. */
  tag?: pulumi.Input<string> | undefined;
  /**
   * Leave the image in the registry when the resource is deleted. With `false` it is withdrawn, unless a host of the
   * run needs it or cannot be asked.
   * @default true
   */
  retain?: pulumi.Input<boolean> | undefined;
  /**
   * It is gone back to: what is wrong with it in its registry is a warning, for the host may have it.
   * @default false
   */
  isRollback?: pulumi.Input<boolean> | undefined;
}

/** An image of a registry, checked by digest, labels and platforms. */
export class RegistryImageResource extends pulumi.CustomResource {
  constructor(name: string, args: RegistryImageResourceArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:registry:Image", name, { ...args }, options);
  }
}
