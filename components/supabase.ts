import * as pulumi from "@pulumi/pulumi";
import { secretsOfSupabase, type SupabaseConfig } from "../src/core/services/supabase/supabase-config.ts";
import { requiredSecret } from "./required-secret.ts";
import type { HostProvider } from "./resources/host-provider.ts";
import { SupabaseResource } from "./resources/supabase.ts";

export interface SupabaseArgs {
  /** The host that the app runs on. */
  provider: HostProvider;
  /** Name of the app. */
  app: string;
  /** Where its Supabase is, and what is to be set of it. */
  settings: SupabaseConfig;
  /**
   * Secrets of the app, among them those that the settings name.
   * @default none
   */
  secrets?: Readonly<Record<string, pulumi.Input<string>>> | undefined;
  /**
   * It is gone back to an earlier release: what is wrong with Supabase is a warning then.
   * @default false
   */
  isRollback?: boolean | undefined;
}

/** The Supabase of an app: looked at, or made as its settings say, before what depends on it. Nothing of it is ever deleted. */
export class Supabase extends pulumi.ComponentResource {
  readonly resource: SupabaseResource;

  constructor(name: string, args: SupabaseArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:Supabase", name, {}, options);
    const { provider, app, settings, isRollback } = args;
    const child = { parent: this, provider, ...(options.dependsOn !== undefined && { dependsOn: options.dependsOn }) };
    this.resource = new SupabaseResource(name, { app, settings, secrets: usedSecrets(args), isRollback }, child);
    this.registerOutputs({});
  }
}

function usedSecrets(args: SupabaseArgs): Record<string, pulumi.Output<string>> {
  const values = secretsOfSupabase(args.settings).map(
    (name) => [name, pulumi.secret(requiredSecret(args, name, "works with a Supabase"))] as const,
  );
  return Object.fromEntries(values);
}
