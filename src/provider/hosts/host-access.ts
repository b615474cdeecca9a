import { openHostAgent, prewarm, type AwayOptions } from "../../core/transport/host-agent.ts";
import { openShell } from "../../core/transport/host-shell.ts";
import type { HostAccess } from "./agent-access.ts";
import { providerVersion } from "../version.ts";

/** The ways to real hosts. `away` says what is done about one that is away. */
export function hostAccess(away: AwayOptions = {}): HostAccess {
  return {
    prewarm: (way) => void prewarm(way),
    openAgent: (way, name) => openHostAgent({ name, way }, away),
    async installAgent(way, setup, onStep, name) {
      const shell = await openShell({ name, way }, "setting up the agent of");
      const { installAgent } = await import("../../core/hosts/host-install.ts");
      const agent = await openHostAgent({ name, way });
      await installAgent(shell, agent, { setup, version: providerVersion }, onStep);
    },
    async removeAgent(way, name) {
      const shell = await openShell({ name, way }, "removing the agent of");
      const { removeAgent } = await import("../../core/hosts/host-install.ts");
      await removeAgent(shell);
    },
  };
}
