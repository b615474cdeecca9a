import * as pulumi from "@pulumi/pulumi";

export interface BundleArgs {
  /** The app that it is staged for. */
  app: pulumi.Input<string>;
  /** Digest of the bundle. */
  bundle: pulumi.Input<string>;
  /** Images that have to be on the host, each by digest. */
  images: pulumi.Input<pulumi.Input<string>[]>;
  /**
   * Stage it although it was taken back: a withdrawn bundle is refused before anything is changed.
   * @default false
   */
  redeploy?: pulumi.Input<boolean> | undefined;
  /** Versions of the migrations that it knows: it is refused where the app's database has others that it cannot live with. */
  migrations?: pulumi.Input<string[]> | undefined;
}

/** A bundle's images on a host: pulled and checked before anything is changed. */
export class Bundle extends pulumi.CustomResource {
  constructor(name: string, args: BundleArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:vps:Bundle", name, { ...args }, options);
  }
}
