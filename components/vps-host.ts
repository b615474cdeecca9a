import * as pulumi from "@pulumi/pulumi";
import type { HostSetup, HostWay } from "../src/core/config/schema.ts";
import { IkomaError } from "../src/core/errors.ts";
import { prepareHost, type HostPreparationArgs } from "./host-preparation.ts";
import { Agent } from "./resources/agent.ts";
import { HostProvider } from "./resources/host-provider.ts";

export interface VpsHostArgs {
  /** How to reach the host. */
  connection: HostWay;
  /** Ports, addresses and images of what is set up there. */
  setup: HostSetup;
  /** Version of the agent that is to run. */
  version: string;
  /**
   * What is done on the host over SSH before the agent is put there.
   *
   * @example { steps: [{ name: "swap", create: "fallocate -l 2G /swap && mkswap /swap && swapon /swap", triggers: [] }] }
   */
  prepare?: Omit<HostPreparationArgs, "connection"> | undefined;
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
    const { connection, setup, version, prepare } = args;
    this.provider = new HostProvider(name, { host: name, ...connection }, { parent: this });
    const dependsOn = prepare === undefined ? [] : this.#prepare(name, connection, prepare);
    this.agent = new Agent(name, { version, ...setup }, { parent: this, provider: this.provider, dependsOn });
    this.registerOutputs({});
  }

  #prepare(name: string, connection: HostWay, prepare: NonNullable<VpsHostArgs["prepare"]>): pulumi.Resource[] {
    if ("address" in connection) return prepareHost(name, { connection, ...prepare }, this);
    throw new IkomaError("HOST_SHELL_NEEDED", `The steps of \`prepare\` are run on ${name} over SSH.`, {
      hint: "Give the host its SSH address in the stack `hosts`, or take the steps out.",
    });
  }
}
