import { readFile } from "node:fs/promises";
import { parseBackend, parseRouteEntry } from "./edge-names.ts";
import type { EdgeApp, EdgeServer } from "./edge.ts";
import { haproxyPaths } from "./haproxy-config.ts";

/** What `haproxy.cfg` says of one server, and the backend that it is in. */
interface ServerLine extends Omit<EdgeServer, "service" | "port"> {
  backend: string;
}

/**
 * The apps of the configuration on disk, as they were given to be rendered (see `renderConfig`): what HAProxy would come
 * up with. Undefined where there is none of the agent's.
 */
export async function readConfig(directory: string): Promise<EdgeApp[] | undefined> {
  const config = await textOf(haproxyPaths(directory).config);
  const hostsPath = firstMatch(config, /map_str\((\S+\/hosts-[0-9a-f]+\.map)\)/);
  const routesPath = firstMatch(config, /map_beg\((\S+\/routes-[0-9a-f]+\.map)\)/);
  if (config === undefined || hostsPath === undefined || routesPath === undefined) return undefined;
  const [hosts, routes] = await Promise.all([readMap(hostsPath), readMap(routesPath)]);
  const certificates = await readCertificates(directory, config);
  const servers = serverLines(config);
  return [...new Set(hosts.map(([, app]) => app))].map((app) => {
    const certificatePem = certificates.get(app);
    return {
      app,
      domains: hosts.flatMap(([host, owner]) => (owner === app && host !== "*" ? [host] : [])),
      ...(certificatePem !== undefined && { certificatePem }),
      routes: routes.flatMap(([key, backend]) => parseRouteEntry(app, key, backend) ?? []),
      servers: servers.flatMap(({ backend, ...server }) => {
        const parsed = parseBackend(app, backend);
        return parsed === undefined ? [] : [{ ...server, ...parsed }];
      }),
    };
  });
}

function serverLines(config: string): ServerLine[] {
  const lines: ServerLine[] = [];
  let backend = "";
  for (const line of config.split("\n")) {
    backend = firstMatch(line, /^backend (\S+)$/) ?? backend;
    const [, name, address, maxConnections] = /^ {2}server (\S+) (\S+):\d+ maxconn (\d+)/.exec(line) ?? [];
    if (name === undefined || address === undefined) continue;
    lines.push({ backend, name, address: address.replace(/^\[|\]$/g, ""), maxConnections: Number(maxConnections) });
  }
  return lines;
}

/** By app: the files are `<app>-<16 hex digits>.pem`. */
async function readCertificates(directory: string, config: string): Promise<Map<string, string>> {
  const prefix = `${haproxyPaths(directory).certificates}/`;
  const found = [...config.matchAll(/ crt (\S+)/g)].map(async ([, path = ""]): Promise<[string, string][]> => {
    const app = path.startsWith(prefix) ? firstMatch(path.slice(prefix.length), /^(.+)-[0-9a-f]{16}\.pem$/) : undefined;
    const pem = await textOf(path);
    return app === undefined || pem === undefined ? [] : [[app, pem]];
  });
  return new Map((await Promise.all(found)).flat());
}

async function readMap(path: string): Promise<[string, string][]> {
  const lines = ((await textOf(path)) ?? "").split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const at = line.indexOf(" ");
    return [line.slice(0, at), line.slice(at + 1)];
  });
}

function textOf(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(() => undefined);
}

function firstMatch(text: string | undefined, pattern: RegExp): string | undefined {
  return text === undefined ? undefined : pattern.exec(text)?.[1];
}
