import type { HostConfig, HostSetup } from "../../core/config/schema.ts";
import { installAgent, removeAgent } from "../../core/hosts/host-install.ts";
import { connectHost, openAgent, prewarmHost } from "../../core/transport/host-connections.ts";
import type { HostAccess } from "./agent-access.ts";
import { providerVersion } from "../version.ts";

/** The ways to real hosts, over SSH. */
export function hostAccess(): HostAccess {
  return {
    prewarm: prewarmHost,
    openAgent: (host) => Promise.resolve(openAgent(host)),
    async installAgent(host: HostConfig, setup: HostSetup, onStep) {
      await installAgent(await connectHost(host), openAgent(host), { setup, version: providerVersion }, onStep);
    },
    async removeAgent(host) {
      await removeAgent(await connectHost(host));
    },
  };
}
