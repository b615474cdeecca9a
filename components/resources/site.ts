import * as pulumi from "@pulumi/pulumi";

export interface SiteResourceArgs {
  /** The app that is served. */
  app: pulumi.Input<string>;
  /** Host names; none means every name that no other app has. */
  domains?: pulumi.Input<pulumi.Input<string>[]> | undefined;
  /** PEM certificate chain and private key for the domains. Kept secret. */
  certificatePem?: pulumi.Input<string> | undefined;
}

/** Domains and certificates of an app on the edge. */
export class SiteResource extends pulumi.CustomResource {
  constructor(name: string, args: SiteResourceArgs, options: pulumi.CustomResourceOptions) {
    const { certificatePem } = args;
    super(
      "ikoma:vps:Site",
      name,
      { ...args, ...(certificatePem !== undefined && { certificatePem: pulumi.secret(certificatePem) }) },
      options,
    );
  }
}
