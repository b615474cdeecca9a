import { adminsVariable } from "./bridge-names.ts";
import type { AppConfig, BridgeConfig } from "./schema.ts";

/** The Bridge as an app like any other. */
export function appOfBridge({ domain, certificate, admins, ...app }: BridgeConfig): AppConfig {
  return { ...app, domains: [domain] };
}

/** Variables of its compose file that the program sets. As secrets are, they are not taken back by a rollback. */
export function variablesOfBridge({ admins }: Pick<BridgeConfig, "admins">): Record<string, string> {
  return { [adminsVariable]: admins.join(" ") };
}

/** Where its API is found. */
export function addressOfBridge({ domain }: Pick<BridgeConfig, "domain">): string {
  return `https://${domain}`;
}
