import * as pulumi from "@pulumi/pulumi";
import type { SignaturePolicy } from "../../src/core/signing/signature-policy.ts";

export interface AgentArgs {
  /** Version of the agent that is to run. */
  version: pulumi.Input<string>;
  /** Image of the agent; without it the one of this version is streamed over SSH. */
  agentImage?: pulumi.Input<string> | undefined;
  /** Image of the edge; without it the one of this version is streamed over SSH. */
  edgeImage?: pulumi.Input<string> | undefined;
  /** Port on which the edge serves HTTP. */
  httpPort: pulumi.Input<number>;
  /** Port on which the edge serves HTTPS. */
  httpsPort: pulumi.Input<number>;
  /** Addresses that releases get their networks from, such as `10.210.0.0/16`. */
  networkPool: pulumi.Input<string>;
  /** What images may take on disk, in GB, before the oldest that are kept for a rollback go. */
  imageBudgetGb: pulumi.Input<number>;
  /** Whose signatures a bundle must have to run there. */
  signatures?: pulumi.Input<SignaturePolicy> | undefined;
  /** The Bridge's API that the agent dials out to. */
  api?: pulumi.Input<{ url: string; caCert?: string | undefined }> | undefined;
}

/** The agent and the edge of a host. It cannot be deleted while apps are served there. */
export class Agent extends pulumi.CustomResource {
  declare readonly agentVersion: pulumi.Output<string>;
  declare readonly engineVersion: pulumi.Output<string>;
  declare readonly composeVersion: pulumi.Output<string>;
  declare readonly edgeVersion: pulumi.Output<string>;

  constructor(name: string, args: AgentArgs, options: pulumi.CustomResourceOptions) {
    const outputs = {
      agentVersion: undefined,
      engineVersion: undefined,
      composeVersion: undefined,
      edgeVersion: undefined,
    };
    super("ikoma:vps:Agent", name, { ...args, ...outputs }, options);
  }
}
