import * as pulumi from "@pulumi/pulumi";
import { addressOfBridge, variablesOfBridge } from "../src/core/config/bridge.ts";
import { loadBridgeConfig } from "../src/core/config/load.ts";
import { bridgeApp } from "../src/core/config/bridge-names.ts";
import { deployApps, type EnvironmentNotes } from "./environment.ts";

/**
 * The Bridge's own API and database on a host: an environment with one app. Exports `apps`, and `bridge` with what the
 * stack `hosts` needs to know of it.
 */
export async function bridge(notes: EnvironmentNotes = {}): Promise<Record<string, unknown>> {
  const config = loadBridgeConfig(pulumi.runtime.allConfig());
  const extras = { certificate: config.bridge.certificate, secrets: variablesOfBridge(config.bridge) };
  const apps = await deployApps(config, notes, { [bridgeApp]: extras });
  return { apps, bridge: { api: addressOfBridge(config.bridge), host: config.bridge.host } };
}
