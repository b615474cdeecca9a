import * as pulumi from "@pulumi/pulumi";
import type { BundleProof } from "../../src/core/signing/bundle-proof.ts";
import type { SignatureDemand } from "../../src/core/signing/signature-policy.ts";

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
  /** Documents and signatures of signed bundles, for a host that asks for them. */
  proofs?: pulumi.Input<BundleProof[]> | undefined;
  /** What the signatures in `proofs` are called: others are a reason to stage it again. */
  signatures?: pulumi.Input<string[]> | undefined;
  /** Why there may be more signatures. */
  signatureProblem?: pulumi.Input<string> | undefined;
  /** Ask for a signature though the host may not: in any case, or where it knows keys. */
  requireSignature?: pulumi.Input<SignatureDemand> | undefined;
  /** Versions of the migrations that it knows: it is refused where the app's database has others that it cannot live with. */
  migrations?: pulumi.Input<string[]> | undefined;
}

/** A bundle's images on a host: pulled and checked before anything is changed. */
export class Bundle extends pulumi.CustomResource {
  constructor(name: string, args: BundleArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:vps:Bundle", name, { ...args }, options);
  }
}
