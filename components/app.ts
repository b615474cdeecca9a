import * as pulumi from "@pulumi/pulumi";
import { ComposeStack, type ComposeStackArgs } from "./compose-stack.ts";
import { Site, type SiteArgs } from "./site.ts";
import { supabaseOf, type SupabaseSelfHosted } from "./supabase-self-hosted.ts";

/** Everything about an app in one environment: where it is found, and what runs. */
export interface AppArgs extends ComposeStackArgs, Pick<SiteArgs, "domains" | "certificatePem"> {}

/** What a stack exports of an app; `ikoma status` reads it. */
export interface AppExports {
  number: pulumi.Output<number>;
  version: pulumi.Output<string>;
  bundle: string;
  digest: pulumi.Output<string>;
  services: pulumi.Output<unknown>;
  url: string | undefined;
}

/** An app on a host: its site, then its compose stack. */
export class App extends pulumi.ComponentResource {
  readonly site: Site;
  readonly stack: ComposeStack;
  /** Where the app is a self-hosted Supabase: that it works. */
  readonly supabase: SupabaseSelfHosted | undefined;
  readonly exports: AppExports;

  constructor(name: string, args: AppArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:App", name, {}, options);
    const { domains, certificatePem, ...stack } = args;
    this.site = new Site(name, { provider: args.provider, app: args.app, domains, certificatePem }, { parent: this });
    this.stack = new ComposeStack(name, stack, { parent: this, dependsOn: [this.site.resource] });
    const { number, version, digest, status } = this.stack.release;
    this.supabase = supabaseOf(name, stack, digest, { parent: this, dependsOn: [this.stack.release] });
    this.exports = { number, version, bundle: args.bundle.reference, digest, services: status, url: this.site.url };
    this.registerOutputs({});
  }
}
