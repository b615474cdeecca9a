import * as pulumi from "@pulumi/pulumi";
import { partsOfBundle, type SupabaseParts } from "../src/core/services/supabase/self-hosted/stack-parts.ts";
import type { SelfHostedSupabase } from "../src/core/services/supabase/self-hosted/self-hosted-settings.ts";
import type { ComposeStackArgs } from "./compose-stack.ts";
import { SupabaseResource } from "./resources/supabase.ts";

export interface SupabaseSelfHostedArgs extends Pick<ComposeStackArgs, "provider" | "app" | "env" | "secrets"> {
  parts: SupabaseParts;
  /** Digest of the deployment that serves. */
  release: pulumi.Input<string>;
  /**
   * The app goes back to an earlier deployment: a part that does not answer is a warning.
   * @default false
   */
  isRollback?: boolean | undefined;
}

/** The Supabase that an app's compose stack is, once it is deployed. */
export class SupabaseSelfHosted extends pulumi.ComponentResource {
  readonly resource: SupabaseResource;

  constructor(name: string, args: SupabaseSelfHostedArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:SupabaseSelfHosted", name, {}, options);
    const { provider, app, parts, release, env = {}, secrets = {}, isRollback } = args;
    const value = (key: string): pulumi.Input<string> | undefined => secrets[key] ?? env[key];
    const held = ["ANON_KEY", "SERVICE_ROLE_KEY", "JWT_SECRET"].flatMap((key) => {
      const given = value(key);
      return given === undefined ? [] : [[key, pulumi.secret(given)] as const];
    });
    const settings = pulumi.output(release).apply((deployed) => selfHostedSettings(parts, deployed));
    this.resource = new SupabaseResource(
      name,
      { app, settings, secrets: Object.fromEntries(held), isRollback },
      { parent: this, provider },
    );
    this.registerOutputs({});
  }
}

function selfHostedSettings(parts: SupabaseParts, release: string): SelfHostedSupabase {
  return { mode: "self-hosted", parts: { ...parts }, release };
}

/** None where the bundle is no self-hosted Supabase. */
export function supabaseOf(
  name: string,
  args: ComposeStackArgs,
  release: pulumi.Input<string>,
  options: pulumi.ComponentResourceOptions,
): SupabaseSelfHosted | undefined {
  const parts = partsOfBundle(args.bundle.manifest);
  if (parts === undefined) return undefined;
  const { provider, app, env, secrets, rollbackTo } = args;
  const isRollback = rollbackTo !== undefined;
  return new SupabaseSelfHosted(name, { provider, app, env, secrets, parts, release, isRollback }, options);
}
