import * as z from "zod";
import { isOffline } from "../../core/config/offline.ts";
import { keptPolicy, type Policy } from "../../core/policies/policy-config.ts";
import { apiWay, hostConfig, hostsConfig, socketWay, type HostWay } from "../../core/config/schema.ts";

const flag = z.union([z.boolean(), z.stringbool()]);

const anyWay = {
  /** The host's name, as in `ikoma:hosts`: its identity, while address, port and keys may change. */
  host: z.string().min(1),
  /** Never dial the host: reads give the old state, changes are refused. */
  offline: flag.default(false),
};

/** Configuration of one provider instance: one host. Numbers and flags may come as text from the stack's configuration. */
export const providerConfig = z.union([
  hostConfig.extend({ ...anyWay, port: z.coerce.number().int().min(1).max(65535).default(22) }),
  apiWay.extend(anyWay),
  socketWay.extend(anyWay),
]);
export type ProviderConfig = z.infer<typeof providerConfig>;

/** What a process knows of the stack's configuration besides what each instance is configured with. */
export interface CurrentConfig {
  /** How hosts are reached now, by name. */
  hosts: Readonly<Record<string, HostWay>>;
  /** No instance dials its host, whatever it is configured with. */
  offline: boolean;
  /** A refresh is to find all of this host gone, and everything else as it was; nobody is dialled. */
  forgetHost?: string | undefined;
  /** What changes have to keep to. */
  policy?: Policy | undefined;
}

const pluginConfig = z.object({
  hosts: z
    .string()
    .transform((text) => hostsConfig.parse(JSON.parse(text)))
    .default({}),
  offline: z.stringbool().default(false),
  policy: z
    .string()
    .transform((text) => keptPolicy(JSON.parse(text)))
    .optional(),
});

/**
 * The configuration as the engine hands it to a plugin's process. The engine reads resources with the provider as
 * the *state* has it before it runs the program; where a host has moved since, only this knows its new address.
 */
export function configOfPluginEnvironment(environment: NodeJS.ProcessEnv): CurrentConfig {
  const { hosts, offline, policy } = pluginConfig.parse(JSON.parse(environment["PULUMI_CONFIG"] ?? "{}"));
  return { hosts, offline: offline || isOffline(environment), policy };
}
