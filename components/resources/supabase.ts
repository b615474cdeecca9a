import * as pulumi from "@pulumi/pulumi";
import type { SelfHostedSupabase } from "../../src/core/services/supabase/self-hosted/self-hosted-settings.ts";
import type { SupabaseConfig } from "../../src/core/services/supabase/supabase-config.ts";

export interface SupabaseResourceArgs {
  /** The app whose Supabase it is. */
  app: pulumi.Input<string>;
  /** Where it is, and what is to be set of it. */
  settings: pulumi.Input<SupabaseConfig | SelfHostedSupabase>;
  /** Values of the secrets that the settings name; secrets themselves. */
  secrets: Record<string, pulumi.Input<string>>;
  /**
   * It is gone back to an earlier release: what is wrong with Supabase is a warning then.
   * @default false
   */
  isRollback?: pulumi.Input<boolean> | undefined;
}

/** A Supabase that is as its settings say. Deleting it leaves everything there as it is. */
export class SupabaseResource extends pulumi.CustomResource {
  /** Its address. */
  declare readonly url: pulumi.Output<string | undefined>;
  /** Ref of its project. */
  declare readonly ref: pulumi.Output<string | undefined>;
  /** The key that browsers get. */
  declare readonly publishableKey: pulumi.Output<string | undefined>;

  constructor(name: string, args: SupabaseResourceArgs, options: pulumi.CustomResourceOptions) {
    const computed = { url: undefined, ref: undefined, publishableKey: undefined };
    super("ikoma:data:Supabase", name, { ...args, ...computed }, options);
  }
}
