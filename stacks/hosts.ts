import * as pulumi from "@pulumi/pulumi";
import { VpsHost } from "../components/vps-host.ts";
import { loadHostsConfig } from "../src/core/config/load.ts";
import { isOffline, offlineRefusal } from "../src/core/config/offline.ts";
import { providerVersion } from "../src/provider/version.ts";

/** The hosts of `ikoma:hosts`, each with agent and edge of this version. A stack of its own: apps come and go without touching it. */
export function hosts(): Record<string, unknown> {
  const config = loadHostsConfig(pulumi.runtime.allConfig());
  if ((config.offline || isOffline(process.env)) && !pulumi.runtime.isDryRun()) throw offlineRefusal();
  const made = Object.entries(config.hosts).map(([name, connection]) => {
    const setup = config.setup[name];
    if (setup === undefined) throw new Error(`${name} has no setup`);
    const host = new VpsHost(name, { connection, setup, version: providerVersion });
    const { agentVersion, engineVersion, composeVersion, edgeVersion } = host.agent;
    return [name, { agentVersion, engineVersion, composeVersion, edgeVersion }] as const;
  });
  return { hosts: Object.fromEntries(made) };
}
