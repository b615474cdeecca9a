import * as pulumi from "@pulumi/pulumi";

export interface SupabaseArgs {
  /** The app that the stack is. */
  app: pulumi.Input<string>;
  /** `self-hosted`: its own containers, on the app's host. */
  mode: pulumi.Input<"self-hosted">;
  /** Part (`auth`) → name of its service. */
  parts: pulumi.Input<Record<string, string>>;
  /** Changes with what is deployed: the reason to look again. */
  release: pulumi.Input<string>;
  /** What every request through the gateway carries. */
  anonKey: pulumi.Input<string>;
  /** Secrets by name that running containers have to have. */
  secrets: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /**
   * How long all parts together may take until they answer, in seconds.
   * @default 120
   */
  timeoutSeconds?: pulumi.Input<number> | undefined;
}

/** A self-hosted Supabase that works: all its parts answer through its gateway. Deleting it deletes nothing. */
export class SupabaseResource extends pulumi.CustomResource {
  constructor(name: string, args: SupabaseArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:data:Supabase", name, { ...args }, options);
  }
}
