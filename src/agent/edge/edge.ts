/** What the edge shall serve, as the ledger has it. Rendered into HAProxy's configuration. */
export interface EdgeView {
  httpPort: number;
  /** Bound only when an app has a certificate. */
  httpsPort: number;
  apps: EdgeApp[];
}

/** The view itself, or how to get it from the ledger once it is this call's turn (see {@link Edge}). */
export type EdgeViewSource = EdgeView | (() => EdgeView);

/** One app on the edge. Its backends are named `<app>_<service>_<port>`, with a `…_candidate` twin each. */
export interface EdgeApp {
  app: string;
  /** Exact names and `*.` names (one label, as in certificates). Empty: every host name that no other app claims. */
  domains: string[];
  /** PEM chain and key. */
  certificatePem?: string;
  /** Empty: nothing serves, every request of the app is answered 503. */
  routes: EdgeRoute[];
  /** Servers of the release that serves. */
  servers: EdgeServer[];
  /** Backends to have besides those of `routes` and `servers`: the ones a release in preparation will need. */
  backends?: EdgeBackend[];
}

/** A service and port that servers can stand behind. */
export interface EdgeBackend {
  service: string;
  port: number;
}

/**
 * Requests whose path is `path`, or lies below it, go to the backend of `service` and `port`; the
 * longest such path wins. A slash at the end makes no difference and is not kept (see `routePath`).
 */
export interface EdgeRoute extends EdgeBackend {
  path: string;
}

/** One container behind a backend. `name` is unique per deployment and replica: `d42-web-1`. */
export interface EdgeServer extends EdgeBackend {
  name: string;
  /** IPv4 or IPv6 address, not a name. */
  address: string;
  /** Requests and open connections that it may have at once; what comes beyond them waits. @default 400 */
  maxConnections?: number | undefined;
  /** Its share of the requests, beside those of the others, where that is not the usual one. Not kept in the ledger. */
  weight?: number | undefined;
}

/** Every server's: requests go to each in turn. */
export const usualWeight = 1;

/** A server as HAProxy has it now, over all its worker processes. */
export interface EdgeServerState {
  name: string;
  backend: string;
  address: string;
  port: number;
  /** `down`: wanted, but its health check fails. Only one of several in a backend is checked, see `isChecked`. */
  state: "ready" | "drain" | "maint" | "down";
  /** Requests and connections under way. */
  connections: number;
  /** Its share of the requests, beside those of the others. */
  weight: number;
}

/** What a worker process of HAProxy has counted for a server since it knows it. */
export interface EdgeCounters {
  /** Process id of the worker: each counts for itself, and a reload begins a new one at 0. */
  worker: number;
  backend: string;
  server: string;
  /** Requests that have ended. */
  requests: number;
  /** Of these: answers of status 5xx, and requests that got no connection or no whole answer. */
  failed: number;
  /** Mean time until the server answered, over the last requests, in milliseconds. */
  responseMs: number;
}

/** What HAProxy really serves for an app. */
export interface EdgeServed {
  routes: EdgeRoute[];
  domains: string[];
  servers: EdgeServerState[];
}

/**
 * The edge, driven over HAProxy's runtime API. One mutex for everything that changes it; a view given as
 * a function is asked for inside, so that what is written is the ledger as it then is. Every failure is EDGE_FAILED (CONFIG_INVALID for a view that cannot be served), and comes
 * within the driver's deadline.
 */
export interface Edge {
  /** Writes the configuration for `view` (atomically) without making HAProxy read it. */
  persist(view: EdgeViewSource): Promise<void>;
  /**
   * Writes the configuration, and reloads without losing a connection if what runs has other ports,
   * domains or certificates, or lacks a backend. Of an app that HAProxy knows, a reload changes neither
   * routes nor servers: only `switchTo` does. A configuration that HAProxy refuses is taken back.
   */
  ensure(view: EdgeViewSource): Promise<void>;
  /**
   * Serves the routes and servers of a release in preparation on the candidate socket only (the Host
   * header picks the app, as in public). Its backends must exist: `ensure` with `backends` before.
   */
  addCandidates(app: EdgeApp): Promise<void>;
  /** Takes all candidates of the app away. */
  removeCandidates(app: string): Promise<void>;
  /**
   * Adds the app's servers to the public backends, sets its routes, then drains every other server of
   * the app. No reload. Repeatable, and reversible by the view from before, at any point it was cut off.
   * `committed` runs before any other change of the edge can: it records the switch and returns the view
   * to write down.
   */
  switchTo(app: EdgeApp, committed?: () => EdgeView): Promise<void>;
  /**
   * Has the app's requests wait, each at most `longestHoldSeconds`, until `switchTo` gives it servers again. So
   * many at most as HAProxy has the memory for; what comes beyond finds what serves, or 503.
   */
  hold(app: string): Promise<void>;
  /**
   * Gives so much of the app's requests (percent, 1 to 99) to servers of a release in preparation, the rest to those that
   * serve. Only where both have servers in a backend; names the servers that take part. Routes stay. No reload; the next
   * `switchTo` ends it, whichever way.
   */
  share(app: string, newcomers: readonly EdgeServer[], percent: number): Promise<string[]>;
  /** Every server of the app that does not belong to `keep`, candidates too, with its connections over all workers. */
  draining(app: string, keep: readonly string[]): Promise<EdgeServerState[]>;
  /** Removes drained servers; connections that are still open are closed. */
  removeServers(app: string, names: readonly string[]): Promise<void>;
  /** What HAProxy really serves for an app. */
  served(app: string): Promise<EdgeServed>;
  /** SHA-1 fingerprints (hexadecimal, upper case) of the certificates that HAProxy has loaded for an app. */
  certificates(app: string): Promise<string[]>;
  /**
   * Files of the configuration on disk that are not as they were written last: what HAProxy would come up with after
   * a start. Their names, without their folder.
   */
  alteredFiles(): Promise<string[]>;
  /**
   * Writes the configuration over whatever somebody made of it, and reloads without losing a connection: HAProxy may
   * have been started from the altered files meanwhile.
   */
  rewrite(view: EdgeViewSource): Promise<void>;
  /**
   * The apps of the configuration on disk: what HAProxy would come up with after a start, whoever wrote it. Undefined
   * where there is none.
   */
  configured(): Promise<EdgeApp[] | undefined>;
  /** The counters of these servers of the app (not as candidates), of every worker that lives. */
  counters(app: string, names: readonly string[]): Promise<EdgeCounters[]>;
  /** Version of HAProxy, or undefined when it does not answer. */
  version(): Promise<string | undefined>;
}
