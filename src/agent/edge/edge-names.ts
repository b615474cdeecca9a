import { routePath } from "../../core/release/release-spec.ts";
import type { EdgeApp, EdgeBackend, EdgeRoute } from "./edge.ts";

/** Where requests of an app go that has no release: a backend without a server, hence the edge's own 503. */
export const unservedBackend = "ikoma_unserved";

const candidateSuffix = "_candidate";

/** HAProxy's name for a service and port of an app. App names have no underscore, so it stays readable backwards. */
export function backendName(app: string, { service, port }: EdgeBackend): string {
  return `${app}_${service}_${port}`;
}

/** The twin that only the candidate socket reaches. */
export function candidateName(backend: string): string {
  return backend + candidateSuffix;
}

/** Whether a backend is the candidate twin of another. A public one ends in its port. */
export function isCandidate(backend: string): boolean {
  return backend.endsWith(candidateSuffix);
}

/** Whether a backend, public or candidate, belongs to the app. */
export function belongsTo(app: string, backend: string): boolean {
  return backend.startsWith(`${app}_`);
}

/**
 * Key of a route in HAProxy's map. It ends in a slash, and requests are looked up with a slash added to
 * their path, so the longest matching key is the longest path that ends at a segment's end.
 */
export function routeKey(app: string, path: string): string {
  return app + (routePath(path) === "/" ? "/" : `${routePath(path)}/`);
}

/** What the route map holds for an app: key → backend. */
export function routeEntries(app: EdgeApp): Map<string, string> {
  if (app.routes.length === 0) return new Map([[routeKey(app.app, "/"), unservedBackend]]);
  return new Map(app.routes.map((route) => [routeKey(app.app, route.path), backendName(app.app, route)]));
}

/** The service and port that a public backend of the app stands for; undefined for any other. */
export function parseBackend(app: string, backend: string): EdgeBackend | undefined {
  if (!belongsTo(app, backend)) return undefined;
  const [, service, port] = /^[^_]+_(.+)_(\d+)$/.exec(backend) ?? [];
  return service === undefined ? undefined : { service, port: Number(port) };
}

/** The route that an entry of the route map stands for; undefined for other apps' and for no release. */
export function parseRouteEntry(app: string, key: string, backend: string): EdgeRoute | undefined {
  if (!key.startsWith(`${app}/`)) return undefined;
  const parsed = parseBackend(app, backend);
  return parsed === undefined ? undefined : { path: routePath(key.slice(app.length)), ...parsed };
}
