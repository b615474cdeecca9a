import * as pulumi from "@pulumi/pulumi";
import type { HostProvider } from "./resources/host-provider.ts";
import { SiteResource } from "./resources/site.ts";

export interface SiteArgs {
  /** The host whose edge serves it. */
  provider: HostProvider;
  /** Name of the app on the host. */
  app: string;
  /** Host names; none means every name that no other app has. */
  domains?: readonly string[] | undefined;
  /** PEM certificate chain and private key; with it the site is served over HTTPS. */
  certificatePem?: pulumi.Input<string> | undefined;
}

/** Where an app is found: its names on a host's edge. */
export class Site extends pulumi.ComponentResource {
  readonly resource: SiteResource;
  /** The site's address; undefined for an app without a name of its own. */
  readonly url: string | undefined;

  constructor(name: string, args: SiteArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:Site", name, {}, options);
    const { provider, app, domains = [], certificatePem } = args;
    this.resource = new SiteResource(name, { app, domains: [...domains], certificatePem }, { parent: this, provider });
    this.url = siteUrl(domains, certificatePem !== undefined);
    this.registerOutputs({});
  }
}

function siteUrl(domains: readonly string[], secure: boolean): string | undefined {
  const [first] = domains.filter((domain) => !domain.startsWith("*"));
  return first === undefined ? undefined : `${secure ? "https" : "http"}://${first}/`;
}
