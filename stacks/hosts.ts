import * as pulumi from "@pulumi/pulumi";
import { VpsHost, type VpsHostArgs } from "../components/vps-host.ts";
import { loadHostsConfig, type HostsConfig } from "../src/core/config/load.ts";
import { isOffline, offlineRefusal } from "../src/core/config/offline.ts";
import { providerVersion } from "../src/provider/version.ts";

/** The hosts of `ikoma:hosts`, each with agent and edge of this version. A stack of its own: apps come and go without touching it. */
export async function hosts(): Promise<Record<string, unknown>> {
  const config = loadHostsConfig(pulumi.runtime.allConfig());
  const offline = config.offline || isOffline(process.env);
  if (offline && !pulumi.runtime.isDryRun()) throw offlineRefusal();
  const made: Record<string, unknown> = {};
  for (const [name, connection] of Object.entries(config.hosts)) {
    const setup = config.setup[name];
    if (setup === undefined) throw new Error(`${name} has no setup`);
    const prepare = await preparationOf(name, { ...config, offline });
    const host = new VpsHost(name, { connection, setup, version: providerVersion, prepare });
    const { agentVersion, engineVersion, composeVersion, edgeVersion } = host.agent;
    made[name] = { agentVersion, engineVersion, composeVersion, edgeVersion };
  }
  return { hosts: made };
}

/** The steps of a host with the key to log in with; only a host that has some makes the program look for a key. */
async function preparationOf(name: string, config: HostsConfig): Promise<VpsHostArgs["prepare"]> {
  const { hosts: connections, prepare, offline } = config;
  const [steps, connection] = [prepare[name], connections[name]];
  if (steps === undefined || connection === undefined) return undefined;
  if (offline || !("address" in connection)) return { steps, offline };
  const { keyForPlugin } = await import("../src/core/transport/plugin-key.ts");
  return { steps, privateKey: await keyForPlugin(connection) };
}
