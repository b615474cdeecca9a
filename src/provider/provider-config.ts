import * as z from "zod";
import { hostConfig, hostsConfig, type HostConfig } from "../core/config/schema.ts";

const flag = z.union([z.boolean(), z.stringbool()]);

/** Configuration of one provider instance: one host. Numbers and flags may come as text from the stack's configuration. */
export const providerConfig = hostConfig.extend({
  /** The host's name, as in `ikoma:hosts`: its identity, while address, port and keys may change. */
  host: z.string().min(1),
  port: z.coerce.number().int().min(1).max(65535).default(22),
  /** Never dial the host: reads give the old state, changes are refused. */
  offline: flag.default(false),
});
export type ProviderConfig = z.infer<typeof providerConfig>;

const pluginConfig = z.object({ hosts: z.string().transform((text) => hostsConfig.parse(JSON.parse(text))).optional() });

/**
 * `ikoma:hosts` as the engine hands it to a plugin's process. The engine reads resources with the provider as
 * the *state* has it before it runs the program; where a host has moved since, only this knows its new address.
 */
export function hostsOfPluginEnvironment(environment: NodeJS.ProcessEnv): Record<string, HostConfig> {
  const text = environment["PULUMI_CONFIG"];
  if (text === undefined) return {};
  return pluginConfig.parse(JSON.parse(text)).hosts ?? {};
}
