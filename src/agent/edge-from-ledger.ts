import type { ReleaseSpec } from "../core/release/release-spec.ts";
import { siteSpec } from "../core/release/release-spec.ts";
import type { EdgeApp, EdgeView } from "./edge/edge.ts";
import type { Host } from "./host.ts";

/**
 * The edge as the ledger wants it, and with the backends of every release that is about to be switched to: a
 * reload for one app must not take away what another one is preparing. `coming` is one more of these.
 */
export function edgeView(host: Host, coming?: ReleaseSpec): EdgeView {
  const preparing = new Map([...host.prepared, ...(coming === undefined ? [] : [[coming.app, coming] as const])]);
  const names = new Set([...host.parts.apps(), ...preparing.keys()]);
  const apps = [...names].filter((app) => isOnEdge(host, app) || preparing.has(app));
  const known = apps.map((app) => edgeApp(host, app, preparing.get(app)));
  return {
    httpPort: host.settings.httpPort,
    httpsPort: host.settings.httpsPort,
    apps: known.filter((each) => !isCrowdedOut(host, each, known, preparing)),
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

/** An app that merely has images or a database here claims no host name. */
function isOnEdge(host: Host, app: string): boolean {
  return hasSite(host, app) || host.deployments.current(app) !== undefined;
}

function hasSite(host: Host, app: string): boolean {
  return host.parts.get(app, "site", siteSpec) !== undefined;
}

/** A release whose site was removed, or never made, gives way to an app that was told to serve every host name. */
function isCrowdedOut(
  host: Host,
  app: EdgeApp,
  all: readonly EdgeApp[],
  preparing: ReadonlyMap<string, unknown>,
): boolean {
  if (app.domains.length > 0 || hasSite(host, app.app) || preparing.has(app.app)) return false;
  return all.some((other) => other.app !== app.app && other.domains.length === 0 && hasSite(host, other.app));
}
