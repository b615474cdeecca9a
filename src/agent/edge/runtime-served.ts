import { parseRouteEntry } from "./edge-names.ts";
import type { RunCommand } from "./haproxy-sockets.ts";
import { publicServers } from "./runtime-servers.ts";
import { findMap, parseMap } from "./runtime-state.ts";
import type { RuntimeServer } from "./runtime-state.ts";
import type { EdgeServed, EdgeServerState } from "./edge.ts";

/** What the running process serves of an app. */
export async function readServed(run: RunCommand, app: string): Promise<EdgeServed> {
  const maps = await run("show map");
  const routes = parseMap(await run(`show map ${findMap(maps, "routes")}`));
  const hosts = parseMap(await run(`show map ${findMap(maps, "hosts")}`));
  return {
    routes: [...routes].flatMap(([key, backend]) => parseRouteEntry(app, key, backend) ?? []),
    domains: [...hosts].flatMap(([host, owner]) => (owner === app && host !== "*" ? [host] : [])),
    servers: sumOverWorkers(await publicServers(run, app)),
  };
}

/** One entry per server, with the connections of all workers; the state is that of the first that is given. */
export function sumOverWorkers(servers: readonly RuntimeServer[]): EdgeServerState[] {
  const sums = new Map<string, EdgeServerState>();
  for (const { name, backend, address, port, state, connections, weight } of servers) {
    const key = `${backend}/${name}`;
    const known = sums.get(key);
    if (known === undefined) sums.set(key, { name, backend, address, port, state, connections, weight });
    else known.connections += connections;
  }
  return [...sums.values()];
}
