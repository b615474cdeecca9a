import type { ReleaseSpec } from "../core/deployer/release-spec.ts";
import { siteSpec } from "../core/deployer/release-spec.ts";
import type { EdgeApp, EdgeView } from "./edge/edge.ts";
import type { Host } from "./host.ts";

/** The edge as the ledger wants it. `coming` adds the backends of a release that is about to be switched to. */
export function edgeView(host: Host, coming?: ReleaseSpec): EdgeView {
  const apps = host.parts.apps();
  if (coming !== undefined && !apps.includes(coming.app)) apps.push(coming.app);
  return {
    httpPort: host.settings.httpPort,
    httpsPort: host.settings.httpsPort,
    apps: apps.map((app) => edgeApp(host, app, coming?.app === app ? coming : undefined)),
  };
}

/** One app as the ledger has it: its site, and the routes and servers of its current deployment. */
export function edgeApp(host: Host, app: string, coming?: ReleaseSpec): EdgeApp {
  const current = host.deployments.current(app);
  const spec = current === undefined ? undefined : host.deployments.input(app, current.number)?.spec;
  return {
    ...siteOf(host, app),
    routes: spec?.routes ?? [],
    servers: current?.servers ?? [],
    ...(coming === undefined ? {} : { backends: coming.routes.map(({ service, port }) => ({ service, port })) }),
  };
}

/** What the edge knows of an app without its release. */
export function siteOf(host: Host, app: string): Pick<EdgeApp, "app" | "domains" | "certificatePem"> {
  const site = host.parts.get(app, "site", siteSpec);
  return {
    app,
    domains: site?.domains ?? [],
    ...(site?.certificatePem === undefined ? {} : { certificatePem: site.certificatePem }),
  };
}

/** A host name that the edge routes to the app, for the agent's own requests. */
export function hostNameOf(host: Host, app: string): string {
  const [domain] = siteOf(host, app).domains;
  return domain === undefined ? "localhost" : domain.replace(/^\*\./, "ikoma-probe.");
}
