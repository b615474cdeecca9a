import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createServer, request } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createSecureContext } from "node:tls";
import { routePath } from "../../../src/core/release/release-spec.ts";
import { IkomaError } from "../../../src/core/errors.ts";
import { checkEdgeView } from "../../../src/agent/edge/edge-view.ts";
import { usualWeight } from "../../../src/agent/edge/edge.ts";
import type {
  Edge,
  EdgeApp,
  EdgeCounters,
  EdgeRoute,
  EdgeServer,
  EdgeServed,
  EdgeServerState,
  EdgeView,
  EdgeViewSource,
} from "../../../src/agent/edge/edge.ts";

type State = EdgeServerState["state"];

interface AppOnEdge {
  routes: EdgeRoute[];
  servers: Map<string, EdgeServer & { state: State; connections: number; weight: number }>;
  candidates: EdgeApp | undefined;
  /** Requests that wait go on when these are called. */
  held: (() => void)[] | undefined;
}

/**
 * Stands for HAProxy and its driver: routes, servers and their states in memory, and a small real proxy for the public
 * port and the candidate socket. Like the real one it refuses what cannot be put into HAProxy's files, what it knows no
 * backend for, and to remove a server that serves. Not like it: reloads, health checks, several workers.
 */
export class FakeEdge implements Edge {
  readonly #apps = new Map<string, AppOnEdge>();
  readonly #servers: Server[] = [];
  readonly #counted = new Map<string, Pick<EdgeCounters, "requests" | "failed" | "responseMs">>();
  #backends = new Set<string>();
  /** What a restart of HAProxy would come up with. */
  onDisk: EdgeView | undefined;
  /** Fails the calls of these names with the error, until it is taken out. */
  readonly failures = new Map<keyof Edge, Error>();
  /** Apps that answer by TLS only, and send all else there. */
  readonly tlsOnly = new Set<string>();
  httpsPort = 0;
  /** Files of the configuration that a hand has changed. */
  readonly altered = new Set<string>();
  /** Names of the calls that changed something, in order. */
  readonly calls: string[] = [];

  async start(httpPort: number, candidateSocket: string): Promise<number> {
    const open = createServer((request_, response) => {
      this.#proxy(request_, response, false);
    });
    open.listen(httpPort, "127.0.0.1");
    const hidden = createServer((request_, response) => {
      this.#proxy(request_, response, true);
    });
    hidden.listen(candidateSocket);
    const safe = createTlsServer(
      {
        SNICallback: (name, done) => {
          const pem = this.#appOf(name)?.certificatePem;
          done(null, createSecureContext({ cert: pem, key: pem }));
        },
      },
      (request_, response) => {
        request_.headers["x-forwarded-proto"] = "https";
        this.#proxy(request_, response, false);
      },
    );
    safe.listen(0, "127.0.0.1");
    this.#servers.push(open, hidden, safe);
    await Promise.all(this.#servers.map((each) => once(each, "listening")));
    this.httpsPort = portOf(safe);
    return portOf(open);
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.splice(0)) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
  }

  /** Gives a server open connections. */
  setConnections(app: string, server: string, connections: number): void {
    const found = this.#app(app).servers.get(server);
    if (found !== undefined) found.connections = connections;
  }

  persist(view: EdgeViewSource): Promise<void> {
    return this.#do("persist", () => {
      this.onDisk = checked(resolve(view));
    });
  }

  ensure(view: EdgeViewSource): Promise<void> {
    return this.#do("ensure", () => {
      const wanted = checked(resolve(view));
      this.onDisk = wanted;
      // As a reload: backends are those of the view, and of what serves.
      const serving = [...this.#apps].flatMap(([app, { servers }]) =>
        [...servers.values()].map((each) => backendOf(app, each)),
      );
      const asked = wanted.apps.flatMap((app) =>
        [...app.routes, ...app.servers, ...(app.backends ?? [])].map((each) => backendOf(app.app, each)),
      );
      this.#backends = new Set([...serving, ...asked]);
    });
  }

  addCandidates(app: EdgeApp): Promise<void> {
    return this.#do("addCandidates", () => {
      this.#requireBackends(app);
      this.#app(app.app).candidates = app;
    });
  }

  removeCandidates(app: string): Promise<void> {
    return this.#do("removeCandidates", () => {
      this.#app(app).candidates = undefined;
    });
  }

  switchTo(app: EdgeApp, committed?: () => EdgeView): Promise<void> {
    return this.#do("switchTo", () => {
      this.#requireBackends(app);
      const on = this.#app(app.app);
      on.routes = app.routes.map((each) => ({ ...each, path: routePath(each.path) }));
      for (const server of on.servers.values()) if (server.state === "ready") server.state = "drain";
      for (const server of app.servers) {
        on.servers.set(server.name, {
          ...server,
          state: "ready",
          connections: on.servers.get(server.name)?.connections ?? 0,
          weight: usualWeight,
        });
      }
      if (app.servers.length > 0) {
        const waiting = on.held ?? [];
        on.held = undefined;
        for (const goOn of waiting) goOn();
      }
      if (committed === undefined) return;
      const view = committed();
      const failure = this.failures.get("persist");
      if (failure !== undefined) throw failure;
      this.onDisk = checked(view);
    });
  }

  share(app: string, newcomers: readonly EdgeServer[], percent: number): Promise<string[]> {
    return this.#do("share", () => {
      const { servers } = this.#app(app);
      const names = new Set(newcomers.map((each) => each.name));
      const serving = [...servers.values()].filter((each) => each.state === "ready" && !names.has(each.name));
      const joining = newcomers.filter((each) =>
        serving.some((other) => backendOf(app, other) === backendOf(app, each)),
      );
      for (const each of serving) each.weight = 100 - percent;
      for (const each of joining) servers.set(each.name, { ...each, state: "ready", connections: 0, weight: percent });
      return joining.map((each) => each.name);
    });
  }

  hold(app: string): Promise<void> {
    return this.#do("hold", () => {
      this.#app(app).held ??= [];
    });
  }

  /** Whether the app's requests wait. */
  isHeld(app: string): boolean {
    return this.#app(app).held !== undefined;
  }

  draining(app: string, keep: readonly string[]): Promise<EdgeServerState[]> {
    return this.#do("draining", () => this.#states(app).filter((each) => !keep.includes(each.name)));
  }

  removeServers(app: string, names: readonly string[]): Promise<void> {
    return this.#do("removeServers", () => {
      const { servers } = this.#app(app);
      for (const name of names) {
        if (servers.get(name)?.state === "ready")
          throw new IkomaError("EDGE_FAILED", `The server ${name} of ${app} still serves.`);
        servers.delete(name);
      }
    });
  }

  served(app: string): Promise<EdgeServed> {
    return this.#do("served", () => {
      const domains = [...new Set(this.onDisk?.apps.find((each) => each.app === app)?.domains)];
      return { routes: this.#app(app).routes, domains, servers: this.#states(app) };
    });
  }

  certificates(app: string): Promise<string[]> {
    const pem = this.onDisk?.apps.find((each) => each.app === app)?.certificatePem;
    return Promise.resolve(pem === undefined ? [] : [new X509Certificate(pem).fingerprint.replaceAll(":", "")]);
  }

  configured(): Promise<EdgeApp[] | undefined> {
    return Promise.resolve(this.onDisk?.apps);
  }

  alteredFiles(): Promise<string[]> {
    return Promise.resolve([...this.altered]);
  }

  rewrite(view: EdgeViewSource): Promise<void> {
    this.altered.clear();
    return this.#do("rewrite", () => {
      this.onDisk = checked(resolve(view));
    });
  }

  counters(app: string, names: readonly string[]): Promise<EdgeCounters[]> {
    return this.#do("counters", () =>
      this.#states(app)
        .filter((each) => names.includes(each.name))
        .map(({ backend, name }) => {
          const counted = this.#counted.get(name) ?? { requests: 0, failed: 0, responseMs: 0 };
          return { worker: 1, backend, server: name, ...counted };
        }),
    );
  }

  /** What the edge shall have counted for a server. */
  count(server: string, requests: number, failed: number, responseMs = 1): void {
    this.#counted.set(server, { requests, failed, responseMs });
  }

  version(): Promise<string | undefined> {
    return Promise.resolve(this.failures.has("version") ? undefined : "2.6.12");
  }

  #do<T>(name: keyof Edge, action: () => T): Promise<T> {
    const failure = this.failures.get(name);
    if (failure !== undefined) return Promise.reject(failure);
    if (!["served", "draining", "counters"].includes(name)) this.calls.push(name);
    return new Promise((done) => {
      done(action());
    });
  }

  #app(app: string): AppOnEdge {
    const known = this.#apps.get(app) ?? { routes: [], servers: new Map(), candidates: undefined, held: undefined };
    this.#apps.set(app, known);
    return known;
  }

  #states(app: string): EdgeServerState[] {
    return [...this.#app(app).servers.values()].map(({ name, service, address, port, state, connections, weight }) => {
      return {
        name,
        backend: backendOf(app, { service, port }),
        address,
        port,
        state,
        connections,
        weight,
      };
    });
  }

  #requireBackends(app: EdgeApp): void {
    const missing = app.servers.map((each) => backendOf(app.app, each)).find((each) => !this.#backends.has(each));
    if (missing !== undefined)
      throw new IkomaError("EDGE_FAILED", `HAProxy refused a command: No such backend ${missing}.`);
  }

  #appOf(host: string): EdgeApp | undefined {
    const apps = this.onDisk?.apps ?? [];
    return apps.find((each) => each.domains.includes(host)) ?? apps.find((each) => each.domains.length === 0);
  }

  #proxy(incoming: IncomingMessage, response: ServerResponse, isCandidate: boolean): void {
    const host = (incoming.headers.host ?? "").replace(/:\d+$/, "");
    const app = this.#appOf(host);
    if (app !== undefined && this.tlsOnly.has(app.app) && incoming.headers["x-forwarded-proto"] !== "https") {
      response.writeHead(301, { location: `https://${host}/` }).end("moved");
      return;
    }
    const on = app === undefined ? undefined : this.#app(app.app);
    if (isCandidate || on?.held === undefined) {
      forward(incoming, response, on, isCandidate);
      return;
    }
    on.held.push(() => {
      this.#proxy(incoming, response, isCandidate);
    });
  }
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function forward(
  incoming: IncomingMessage,
  response: ServerResponse,
  on: AppOnEdge | undefined,
  isCandidate: boolean,
): void {
  const ready = [...(on?.servers.values() ?? [])].filter((each) => each.state === "ready");
  const [server] = isCandidate ? (on?.candidates?.servers ?? []) : ready;
  if (server === undefined) {
    response.writeHead(503).end("nothing serves");
    return;
  }
  const outgoing = request({ host: server.address, port: server.port, path: incoming.url, agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 502);
    answer.pipe(response);
  });
  outgoing.on("error", () => response.writeHead(502).end());
  outgoing.end();
}

function checked(view: EdgeView): EdgeView {
  checkEdgeView(view);
  return view;
}

function resolve(view: EdgeViewSource): EdgeView {
  return typeof view === "function" ? view() : view;
}

function backendOf(app: string, { service, port }: { service: string; port: number }): string {
  return `${app}_${service}_${port}`;
}
