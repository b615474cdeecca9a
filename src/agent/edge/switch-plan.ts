import { IkomaError } from "../../core/errors.ts";
import { backendName } from "./edge-names.ts";
import { defaultMaxConnections, isChecked, serverAddress, serverOptions } from "./haproxy-config.ts";
import { usualWeight } from "./edge.ts";
import type { EdgeApp, EdgeServer } from "./edge.ts";
import type { RuntimeServer } from "./runtime-state.ts";

/** One command of the runtime API and the answer that means success. */
export interface EdgeCommand {
  command: string;
  expected: RegExp;
}

/** What lies between what HAProxy serves of an app and what it shall serve, in the order it has to happen. */
export interface SwitchPlan {
  /** Makes the servers known, not yet with requests: what fails here has changed nothing for anybody. */
  prepare: EdgeCommand[];
  /** From here on they get requests. */
  activate: EdgeCommand[];
  /** After they are up and the routes are set: no request to the others any more. */
  drain: EdgeCommand[];
}

const silent = /^$/;

/**
 * Compares and plans; empty lists where all is as wanted, so a repeated or interrupted switch does what is left.
 *
 * Traps (HAProxy 2.6): an added server is in maintenance and its checks are off. `set server … state ready`
 * makes it take requests at once, as nothing checks it; `enable health` must come after, for a checked server
 * that leaves maintenance counts as down until its first check has passed. A server that was configured without a
 * check cannot get one any more, and goes on without.
 */
export function planSwitch(now: readonly RuntimeServer[], wanted: EdgeApp): SwitchPlan {
  const plan: SwitchPlan = { prepare: endOfShare(now, wanted), activate: [], drain: [] };
  const kept = new Set<string>();
  for (const server of wanted.servers) {
    const path = serverPath(wanted.app, server);
    kept.add(path);
    const found = now.find((each) => `${each.backend}/${each.name}` === path);
    const checked = isChecked(besides(wanted, server));
    if (found === undefined) plan.prepare.push(addServer(path, server, checked));
    else plan.prepare.push(...adjustServer(path, found, server));
    if (found === undefined || found.state === "drain" || found.state === "maint")
      plan.activate.push(setState(path, "ready"));
    if (checked !== (found?.checked ?? false)) plan.activate.push(...setChecked(path, checked));
  }
  for (const other of now) {
    const path = `${other.backend}/${other.name}`;
    if (!kept.has(path) && other.state !== "drain" && other.state !== "maint") plan.drain.push(setState(path, "drain"));
  }
  return plan;
}

/**
 * Where requests are shared with servers that are to go (see `Edge.share`), those get none from now on: with the usual
 * weight on one side only, most would go to the other for a moment.
 */
function endOfShare(now: readonly RuntimeServer[], wanted: EdgeApp): EdgeCommand[] {
  const kept = new Set(wanted.servers.map((server) => serverPath(wanted.app, server)));
  const isKept = (each: RuntimeServer): boolean => kept.has(`${each.backend}/${each.name}`);
  const isServing = (each: RuntimeServer): boolean => each.state === "ready" && each.weight > 0;
  return now
    .filter((each) => !isKept(each) && isServing(each))
    .filter(({ backend }) => now.some((each) => each.backend === backend && isKept(each) && isServing(each)))
    .map((each) => setWeight(`${each.backend}/${each.name}`, 0));
}

/** The servers of a server's backend, with itself. */
function besides(app: EdgeApp, server: EdgeServer): EdgeServer[] {
  return app.servers.filter((each) => backendName(app.app, each) === backendName(app.app, server));
}

/** Backends that requests of the app can reach, of which each must have a server that is up. */
export function neededBackends(app: EdgeApp): string[] {
  return app.servers.length === 0 ? [] : [...new Set(app.routes.map((route) => backendName(app.app, route)))];
}

/**
 * Refuses routes to a backend without a server. No servers at all is allowed: that takes the app out of service.
 * @throws IkomaError EDGE_FAILED
 */
export function checkRoutesHaveServers(app: EdgeApp): void {
  const served = new Set(app.servers.map((server) => backendName(app.app, server)));
  const empty = neededBackends(app).find((backend) => !served.has(backend));
  if (empty === undefined) return;
  const route = app.routes.find((each) => backendName(app.app, each) === empty);
  throw new IkomaError(
    "EDGE_FAILED",
    `The route ${route?.path ?? ""} of ${app.app} leads to ${route?.service ?? ""}:${route?.port ?? ""}, which has no server.`,
  );
}

/** `<backend>/<server>`, as commands name a server. */
export function serverPath(
  app: string,
  server: EdgeServer,
  rename: (backend: string) => string = (backend) => backend,
): string {
  return `${rename(backendName(app, server))}/${server.name}`;
}

/** Makes a server known, in maintenance. */
export function addServer(path: string, server: EdgeServer, checked: boolean): EdgeCommand {
  return {
    command: `add server ${path} ${serverAddress(server)} ${serverOptions(server, checked)}`,
    expected: /^New server registered\.$/,
  };
}

/** Sets the administrative state of a server. */
export function setState(path: string, state: "ready" | "drain" | "maint"): EdgeCommand {
  return { command: `set server ${path} state ${state}`, expected: silent };
}

/** Gives a known server another address (a container that came back elsewhere), limit or weight. */
function adjustServer(path: string, found: RuntimeServer, server: EdgeServer): EdgeCommand[] {
  const commands: EdgeCommand[] = [];
  if (found.address !== server.address || found.port !== server.port)
    commands.push({
      command: `set server ${path} addr ${server.address} port ${server.port}`,
      expected: /changed|no need to change/i,
    });
  const limit = server.maxConnections ?? defaultMaxConnections;
  if (found.maxConnections !== limit)
    commands.push({ command: `set maxconn server ${path} ${limit}`, expected: silent });
  if (found.weight !== usualWeight) commands.push(setWeight(path, usualWeight));
  return commands;
}

/** Sets a server's share of the requests, beside those of the others in its backend. */
export function setWeight(path: string, weight: number): EdgeCommand {
  return { command: `set server ${path} weight ${weight}`, expected: silent };
}

/** What its last check said would stay for good when they end, hence `health up`. */
export function setChecked(path: string, checked: boolean): EdgeCommand[] {
  if (checked) return [{ command: `enable health ${path}`, expected: /^$|not configured/ }];
  return [
    { command: `disable health ${path}`, expected: silent },
    { command: `set server ${path} health up`, expected: silent },
  ];
}
