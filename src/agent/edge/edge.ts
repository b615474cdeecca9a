/** What the edge shall serve, as the ledger has it. Rendered into HAProxy's configuration. */
export interface EdgeView {
  httpPort: number;
  httpsPort: number;
  apps: EdgeApp[];
}

/** One app on the edge. Its backends are named `<app>_<service>_<port>`, with a `…_candidate` twin each. */
export interface EdgeApp {
  app: string;
  /** Empty: every host name that no other app claims. */
  domains: string[];
  /** PEM chain and key. */
  certificatePem?: string;
  routes: EdgeRoute[];
  /** Servers of the release that serves. */
  servers: EdgeServer[];
}

/** Requests whose path starts with `path` go to the backend of `service` and `port`. */
export interface EdgeRoute {
  path: string;
  service: string;
  port: number;
}

/** One container behind a backend. `name` is unique per deployment and replica: `d42-web-1`. */
export interface EdgeServer {
  name: string;
  service: string;
  address: string;
  port: number;
}

/** A server as HAProxy has it now, over all its worker processes. */
export interface EdgeServerState {
  name: string;
  backend: string;
  address: string;
  port: number;
  state: "ready" | "drain" | "maint" | "down";
  /** Requests and connections under way. */
  connections: number;
}

/** The edge, driven over HAProxy's runtime API. One mutex for everything that changes it. */
export interface Edge {
  /** Writes the configuration for `view` (atomically) without making HAProxy read it. */
  persist(view: EdgeView): Promise<void>;
  /** Writes the configuration and reloads without losing a connection; only if the backends, domains or certificates differ from what runs. */
  ensure(view: EdgeView): Promise<void>;
  /** Adds servers to the candidate backends, which only the candidate socket reaches. */
  addCandidates(app: string, servers: EdgeServer[]): Promise<void>;
  removeCandidates(app: string, servers: EdgeServer[]): Promise<void>;
  /** Adds `next` to the public backends, sets the routes, then drains every other server of the app. No reload. */
  switchTo(app: EdgeApp): Promise<void>;
  /** Connections still open on servers of the app that do not belong to `keep`. */
  draining(app: string, keep: readonly string[]): Promise<EdgeServerState[]>;
  /** Removes drained servers; connections that are still open are closed. */
  removeServers(app: string, names: readonly string[]): Promise<void>;
  /** What HAProxy really serves for an app. */
  served(app: string): Promise<{ routes: EdgeRoute[]; domains: string[]; servers: EdgeServerState[] }>;
  /** Version of HAProxy, or undefined when it does not answer. */
  version(): Promise<string | undefined>;
}
