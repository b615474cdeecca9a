import * as pulumi from "@pulumi/pulumi";
import type { HostConfig, HostSetup } from "../src/core/config/schema.ts";
import { Agent } from "./resources/agent.ts";
import { HostProvider } from "./resources/host-provider.ts";

export interface VpsHostArgs {
  /** How to reach the host. */
  connection: HostConfig;
  /** Ports, addresses and images of what is set up there. */
  setup: HostSetup;
  /** Version of the agent that is to run. */
  version: string;
}

/**
 * A server, ready to take apps: the agent and the edge run on it. Made once, in a stack of its own, and shared by
 * the apps that are deployed there.
 */
export class VpsHost extends pulumi.ComponentResource {
  /** The provider for what else is to be on this host. */
  readonly provider: HostProvider;
  readonly agent: Agent;

  constructor(name: string, args: VpsHostArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:VpsHost", name, {}, options);
    this.provider = new HostProvider(name, { host: name, ...args.connection }, { parent: this });
    this.agent = new Agent(name, { version: args.version, ...args.setup }, { parent: this, provider: this.provider });
    this.registerOutputs({});
  }
}
