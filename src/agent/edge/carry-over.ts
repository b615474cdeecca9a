import { candidateName, isCandidate, parseBackend, parseRouteEntry, routeKey, unservedBackend } from "./edge-names.ts";
import { usualWeight } from "./edge.ts";
import type { EdgeApp, EdgeServer, EdgeView } from "./edge.ts";
import type { RuntimeServer } from "./runtime-state.ts";

/** What the running process serves, as its maps and servers say. */
export interface LiveState {
  /** Key → backend, all apps. */
  routes: ReadonlyMap<string, string>;
  candidateRoutes: ReadonlyMap<string, string>;
  servers: readonly RuntimeServer[];
  /** Apps whose requests wait. */
  held: readonly string[];
}

/**
 * A reload must not change who serves: that is a switch's business. Another app may have been switched and
 * not be in the ledger yet, or be under check as a candidate; the ledger's view alone would take it back.
 * So the new process starts with what the running one serves, where that knows the app, under the domains and
 * backends of `view`. Draining servers stay behind: their connections live on in the old process.
 */
export function carryOver(view: EdgeView, live: LiveState): { view: EdgeView; candidates: EdgeApp[] } {
  const apps = view.apps.map((app) =>
    isKnown(app.app, live.routes) ? { ...app, ...serving(app.app, live), backends: allBackends(app) } : app,
  );
  const candidates = view.apps.flatMap((app) => {
    const prepared = inPreparation(app.app, live);
    return prepared.servers.length === 0 ? [] : [{ app: app.app, domains: app.domains, ...prepared }];
  });
  return { view: { ...view, apps }, candidates };
}

function isKnown(app: string, routes: ReadonlyMap<string, string>): boolean {
  return [...routes.keys()].some((key) => key.startsWith(routeKey(app, "/")));
}

function serving(app: string, live: LiveState): Pick<EdgeApp, "routes" | "servers"> {
  const servers = live.servers.filter(
    (each) => !isCandidate(each.backend) && (each.state === "ready" || each.state === "down"),
  );
  return { routes: routesOf(app, live.routes), servers: serversOf(app, servers) };
}

function inPreparation(app: string, live: LiveState): Pick<EdgeApp, "routes" | "servers"> {
  const suffix = candidateName("");
  const publicNames = [...live.candidateRoutes].map(([key, backend]): [string, string] => [
    key,
    backend.slice(0, -suffix.length),
  ]);
  const servers = live.servers.filter((each) => isCandidate(each.backend) && each.state === "ready");
  const renamed = servers.map((each) => ({ ...each, backend: each.backend.slice(0, -suffix.length) }));
  return { routes: routesOf(app, new Map(publicNames)), servers: serversOf(app, renamed) };
}

function routesOf(app: string, routes: ReadonlyMap<string, string>): EdgeApp["routes"] {
  return [...routes].flatMap(([key, backend]) =>
    backend === unservedBackend ? [] : (parseRouteEntry(app, key, backend) ?? []),
  );
}

function serversOf(app: string, servers: readonly RuntimeServer[]): EdgeServer[] {
  return servers.flatMap(({ name, address, backend, maxConnections, weight }) => {
    const parsed = parseBackend(app, backend);
    const share = weight === usualWeight ? {} : { weight };
    return parsed === undefined ? [] : [{ name, address, maxConnections, ...share, ...parsed }];
  });
}

/** The backends that the view speaks of, whatever its routes and servers become. */
function allBackends(app: EdgeApp): { service: string; port: number }[] {
  return [...app.routes, ...app.servers, ...(app.backends ?? [])].map(({ service, port }) => ({ service, port }));
}
