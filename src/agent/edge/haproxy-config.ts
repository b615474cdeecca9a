import { createHash, X509Certificate } from "node:crypto";
import { join } from "node:path";
import { isIPv6 } from "node:net";
import { backendName, candidateName, routeEntries, unservedBackend } from "./edge-names.ts";
import { hostNames } from "./edge-view.ts";
import { heldEntries, heldMapVariable, holdScript } from "./held-requests.ts";
import type { EdgeApp, EdgeServer, EdgeView } from "./edge.ts";

/**
 * Fewer than an app has room for in its queue of connections to accept (Node and nginx: 511; the rest is for
 * checks). Where that overflows the kernel drops what comes, and an app that is merely busy looks dead.
 */
export const defaultMaxConnections = 400;

/**
 * Whether servers of a backend are checked. One alone is not: to take it out would serve nobody, while a busy one
 * still answers. Of several, a dead one is out after two checks. A check is a connection only, which the kernel of
 * a slow app accepts as well, and one passed check brings a server back.
 */
export function isChecked(servers: readonly EdgeServer[]): boolean {
  return servers.length > 1;
}

/** How a server is declared, in the configuration and over the runtime API alike. */
export function serverOptions(server: EdgeServer, checked: boolean): string {
  const share = server.weight === undefined ? "" : ` weight ${server.weight}`;
  const limit = `maxconn ${server.maxConnections ?? defaultMaxConnections}${share}`;
  return checked ? `${limit} check inter 500ms fastinter 200ms fall 2 rise 1` : limit;
}

/** Where HAProxy stands, as far as its configuration depends on it. */
export interface HaproxyPlace {
  /** Folder of the configuration, its maps, certificates and sockets. */
  directory: string;
  /** Whether the kernel has IPv6. */
  ipv6: boolean;
  /** Account that the workers run as; undefined where HAProxy is not started as root. */
  user?: string;
}

/** Everything that HAProxy reads, ready to be written. */
export interface RenderedConfig {
  /** haproxy.cfg. The other files are named by their content, so replacing this one replaces all at once. */
  config: string;
  /** Path → content of what the configuration names. */
  files: Map<string, string>;
  /** Changes with all that only a reload can change, backends aside. The process shows it as its description. */
  base: string;
  /** Backends, candidates included. */
  backends: string[];
}

/** Paths of HAProxy's configuration and sockets in the edge's folder. */
export function haproxyPaths(directory: string) {
  return {
    config: join(directory, "haproxy.cfg"),
    maps: join(directory, "maps"),
    certificates: join(directory, "certs"),
    masterSocket: join(directory, "master.sock"),
    runtimeSocket: join(directory, "runtime.sock"),
    relaySocket: join(directory, "relay.sock"),
    candidateSocket: join(directory, "candidate.sock"),
  };
}

/**
 * HAProxy's files for a view. `candidates` are releases in preparation, reachable on the candidate socket only; requests
 * of `heldApps` wait.
 * Deterministic: equal views give equal bytes.
 */
export function renderConfig(
  view: EdgeView,
  candidates: readonly EdgeApp[],
  place: HaproxyPlace,
  heldApps: readonly string[] = [],
): RenderedConfig {
  const apps = view.apps.toSorted(byApp);
  const paths = haproxyPaths(place.directory);
  const files = new Map<string, string>();
  const add = (folder: string, name: string, extension: string, content: string): string => {
    const path = join(folder, `${name}-${shortHash(content)}.${extension}`);
    files.set(path, content);
    return path;
  };
  const hosts = add(
    paths.maps,
    "hosts",
    "map",
    mapFile(apps.flatMap((app) => hostNames(app).map((host): [string, string] => [host, app.app]))),
  );
  const routes = add(paths.maps, "routes", "map", mapFile(apps.flatMap((app) => [...routeEntries(app)])));
  const candidateRoutes = add(
    paths.maps,
    "candidates",
    "map",
    mapFile(candidates.toSorted(byApp).flatMap(candidateEntries)),
  );
  const held = add(paths.maps, "held", "map", mapFile(heldEntries(heldApps)));
  const script = add(paths.maps, "hold", "lua", holdScript);
  const certified = apps.flatMap(({ app, domains, certificatePem }) =>
    certificatePem === undefined
      ? []
      : [{ path: add(paths.certificates, app, "pem", certificatePem), names: namesOf(certificatePem, domains) }],
  );
  const owned = certified.flatMap(({ path, names }) => names.map((name) => `${path} ${name}\n`)).join("");
  const certificates = [
    // Where two certificates have a name in them HAProxy takes the first: that of the app whose name it is.
    ...(owned === "" ? [] : [`crt-list ${add(paths.maps, "certificates", "list", owned)}`]),
    ...certified.map(({ path }) => `crt ${path}`),
  ];

  const fixed = [
    defaultsSection,
    publicFrontend(view, { hosts, routes, held, certificates }, place),
    candidateFrontend({ hosts, candidateRoutes }, place),
    builtInBackends(place.directory),
  ].join("\n");
  // These change over the runtime API, so the names of their files say nothing about a reload.
  const changing = [routes, candidateRoutes, held];
  const global = globalSection("", place, { held, script });
  const base = shortHash(changing.reduce((text, path) => text.replaceAll(path, ""), global + fixed));
  const backends = backendServers(apps, candidates);
  const sections = [
    globalSection(base, place, { held, script }),
    fixed,
    ...[...backends].map(([name, servers]) => backendSection(name, servers)),
  ];
  return { config: sections.join("\n"), files, base, backends: [...backends.keys()] };
}

/** Entries of the candidate map for an app: as its routes, to the candidate twins. */
export function candidateEntries(app: EdgeApp): [string, string][] {
  return [...routeEntries(app)].map(([key, backend]) => [
    key,
    backend === unservedBackend ? backend : candidateName(backend),
  ]);
}

/** Those domains of an app that its certificate is for. */
function namesOf(certificatePem: string, domains: readonly string[]): string[] {
  const certificate = new X509Certificate(certificatePem);
  return domains.filter((domain) => certificate.checkHost(domain.replace(/^\*\./, "ikoma-probe.")) !== undefined);
}

/** Address and port as HAProxy wants them. */
export function serverAddress({ address, port }: EdgeServer): string {
  return isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
}

function globalSection(base: string, place: HaproxyPlace, files: { held: string; script: string }): string {
  const user = place.user === undefined ? "" : `  user ${place.user}\n  group ${place.user}\n`;
  // maxconn is left to HAProxy, which takes it from the limit of file descriptors: a fixed one crash-loops
  // under a smaller limit (20,000 needs 40,029). Docker often gives a billion of them, and HAProxy would
  // reserve memory for each, hence the upper bound.
  return `# Written by the IKOMA agent from its ledger; changes made here are lost.
global
  description ikoma-${base}
  fd-hard-limit 40000
  hard-stop-after 1h
${user}  stats socket ${haproxyPaths(place.directory).runtimeSocket} mode 600 level admin expose-fd listeners
  stats timeout 1m
  setenv ${heldMapVariable} ${files.held}
  lua-load ${files.script}
  log stdout format raw daemon notice
`;
}

// http-server-close: the app's side is closed after each response, so no request meets a pooled connection
// that the app is just closing, and a drained server has no idle connections that would hold up its removal.
// timeout queue: how long a request waits for a server that has its maximum of them. abortonclose: one whose
// client went away waits no longer, and is not worked on for nobody.
// …-fin: an app that never closes its side of a websocket must not keep the place of a client that is gone.
// idle-close-on-response: a kept-alive client of an old worker gets an answer to its next request, with
// "connection: close", instead of a reset while it sends it.
// log-format: that of httplog but for the query, which may hold a token; a failed deploy may tell the log's end.
const defaultsSection = `
defaults
  mode http
  log global
  log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %HM %HP %HV"
  option dontlog-normal
  option log-separate-errors
  option http-server-close
  option idle-close-on-response
  option abortonclose
  retries 0
  timeout connect 5s
  timeout queue 10s
  timeout client 60s
  timeout server 60s
  timeout check 2s
  timeout tunnel 1h
  timeout client-fin 30s
  timeout server-fin 30s
  timeout http-request 10s
  timeout http-keep-alive 75s
  http-error status 502 content-type text/plain string "The application gave no valid answer.\\n" hdr cache-control no-store
  http-error status 503 content-type text/plain string "The application is not available at the moment.\\n" hdr retry-after 5 hdr cache-control no-store
  http-error status 504 content-type text/plain string "The application did not answer in time.\\n" hdr cache-control no-store
`;

function publicFrontend(
  view: EdgeView,
  files: { hosts: string; routes: string; held: string; certificates: string[] },
  place: HaproxyPlace,
): string {
  const any = (port: number) => (place.ipv6 ? `:::${port} v4v6` : `:${port}`);
  const certificates = files.certificates.join(" ");
  const https = certificates === "" ? "" : `  bind ${any(view.httpsPort)} ssl ${certificates} alpn h2,http/1.1\n`;
  // A worker that was told to stop knows neither later servers nor routes, but still gets one more request
  // from each kept-alive client. It hands these to the worker that took over, headers and all, so no switch
  // has to reach old workers. src: on a socket for both, an IPv4 address comes as ::ffff:203.0.113.7, which no
  // list of addresses in an app has.
  return `
frontend ikoma_public
  bind ${any(view.httpPort)}
${https}  bind unix@${haproxyPaths(place.directory).relaySocket} name relay ${socketOptions(place)}
  acl is_stopping stopping
  acl is_relayed so_name relay
  http-request set-header X-Request-Id %[uuid()] if !is_relayed
  http-request set-header X-Forwarded-For %[src,regsub(^::ffff:,)] if !is_relayed
  http-request set-header X-Forwarded-Proto http if !is_relayed !{ ssl_fc }
  http-request set-header X-Forwarded-Proto https if !is_relayed { ssl_fc }
  http-request set-header X-Forwarded-Host %[req.hdr(host)] if !is_relayed
  http-request del-header Forwarded if !is_relayed
${lookUpApp(files.hosts)}
  http-request lua.ikoma_hold if { var(txn.app),map_str(${files.held}) -m found } !is_stopping
${lookUpBackend(files.routes)}
${noRoute("!is_stopping")}
  use_backend ikoma_relay if is_stopping
  use_backend %[var(txn.backend)]
`;
}

/** Only the agent reaches it, and says how visitors will come. */
function candidateFrontend(files: { hosts: string; candidateRoutes: string }, place: HaproxyPlace): string {
  return `
frontend ikoma_candidate
  bind unix@${haproxyPaths(place.directory).candidateSocket} ${socketOptions(place)}
  http-request set-header X-Request-Id %[uuid()]
  http-request set-header X-Forwarded-For 127.0.0.1
  http-request set-header X-Forwarded-Proto http unless { req.hdr(X-Forwarded-Proto) -m found }
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
${lookUpApp(files.hosts)}
${lookUpBackend(files.candidateRoutes)}
${noRoute("")}
  use_backend %[var(txn.backend)]
`;
}

/** Host name (exact, then with its first label as `*`, then any) → app. */
function lookUpApp(hosts: string): string {
  return `  http-request set-var(txn.host) req.hdr(host),host_only,lower,regsub([.]$,)
  http-request set-var(txn.wildcard) var(txn.host),regsub(^[^.]*,*)
  http-request set-var(txn.path) path
  http-request set-var(txn.app) var(txn.host),map_str(${hosts})
  http-request set-var(txn.app) var(txn.wildcard),map_str(${hosts}) if !{ var(txn.app) -m found }
  http-request set-var(txn.app) str(*),map_str(${hosts}) if !{ var(txn.app) -m found }`;
}

/** App and path → backend. */
function lookUpBackend(routes: string): string {
  return `  http-request set-var(txn.backend) var(txn.app),concat(,txn.path,/),map_beg(${routes}) if { var(txn.app) -m found }`;
}

function noRoute(condition: string): string {
  const answer = (text: string) =>
    `http-request return status 404 content-type text/plain string "${text}\\n" hdr cache-control no-store if ${condition}`;
  return `  ${answer("No application answers under this host name.")} !{ var(txn.app) -m found }
  ${answer("No application answers under this path.")} !{ var(txn.backend) -m found }`;
}

function builtInBackends(directory: string): string {
  return `
backend ikoma_relay
  server newest unix@${haproxyPaths(directory).relaySocket}

backend ${unservedBackend}
`;
}

/** The worker itself connects to the relay, hence its account owns the socket. */
function socketOptions(place: HaproxyPlace): string {
  return place.user === undefined ? "mode 600" : `mode 600 user ${place.user} group ${place.user}`;
}

function backendSection(name: string, servers: readonly EdgeServer[]): string {
  const checked = isChecked(servers);
  const lines = servers.map(
    (server) => `  server ${server.name} ${serverAddress(server)} ${serverOptions(server, checked)}\n`,
  );
  // Servers can be added only under a balancing method that allows it; round robin does.
  return `\nbackend ${name}\n  balance roundrobin\n${lines.join("")}`;
}

function backendServers(apps: readonly EdgeApp[], candidates: readonly EdgeApp[]): Map<string, EdgeServer[]> {
  const backends = new Map<string, EdgeServer[]>();
  const declare = (app: EdgeApp, rename: (name: string) => string, servers: readonly EdgeServer[]): void => {
    for (const backend of [...app.routes, ...app.servers, ...(app.backends ?? [])]) {
      const name = rename(backendName(app.app, backend));
      if (!backends.has(name)) backends.set(name, []);
    }
    for (const server of servers) backends.get(rename(backendName(app.app, server)))?.push(server);
  };
  const known = new Set(apps.map((app) => app.app));
  for (const app of apps) {
    declare(app, (name) => name, app.servers);
    declare(app, candidateName, []);
  }
  for (const app of candidates.filter((each) => known.has(each.app))) {
    declare(app, (name) => name, []);
    declare(app, candidateName, app.servers);
  }
  return new Map([...backends].toSorted(([a], [b]) => compare(a, b)));
}

function mapFile(entries: [string, string][]): string {
  return entries
    .toSorted(([a], [b]) => compare(a, b))
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}

function byApp(a: EdgeApp, b: EdgeApp): number {
  return compare(a.app, b.app);
}

/** By code unit, so that the order does not depend on the machine's locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
