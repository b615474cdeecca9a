import { isIP } from "node:net";
import { IkomaError } from "../../errors.ts";
import { isLoopback } from "../../link/loopback.ts";

/** How registries are reached, where it is not the usual way. */
export interface RegistryOptions {
  /** Speak HTTP without TLS to every registry of this call. Loopback addresses need no such setting. */
  plainHttp?: boolean;
  /** Registry host → base URL that is asked in its stead. Default: {@link mirrorsFromEnvironment}. */
  mirrors?: Readonly<Record<string, string>>;
  /** Per request, milliseconds. @default 10000 */
  timeoutMs?: number;
}

/** Where a registry's API is: base URLs to try in order, and whether credentials may be sent there. */
export interface Endpoint {
  baseUrl: string;
  mayAuthenticate: boolean;
}

/**
 * Base URLs of a registry. A literal private address that does not speak TLS is asked in clear, but is never sent
 * credentials so; everything else in clear has to be asked for.
 */
export function endpointsOf(registry: string, options: RegistryOptions): [Endpoint, ...Endpoint[]] {
  const mirror = (options.mirrors ?? mirrorsFromEnvironment())[registry];
  if (mirror !== undefined) return [{ baseUrl: mirror.replace(/\/+$/, ""), mayAuthenticate: true }];
  const host = registry === "docker.io" ? "registry-1.docker.io" : registry;
  if (options.plainHttp === true || isLoopback(hostName(host)))
    return [{ baseUrl: `http://${host}`, mayAuthenticate: true }];
  const secure = { baseUrl: `https://${host}`, mayAuthenticate: true };
  return isPrivateAddress(host) ? [secure, { baseUrl: `http://${host}`, mayAuthenticate: false }] : [secure];
}

/**
 * Mirrors from `IKOMA_REGISTRY_MIRROR`: `docker.io=http://mirror:5000`, several with commas between.
 *
 * @throws IkomaError USAGE when it has another form.
 */
export function mirrorsFromEnvironment(): Record<string, string> {
  return parseMirrors((process.env.IKOMA_REGISTRY_MIRROR ?? "").split(",").filter((item) => item.trim() !== ""));
}

/**
 * `registry=URL` pairs as a record.
 *
 * @throws IkomaError USAGE when one has another form.
 */
export function parseMirrors(pairs: readonly string[]): Record<string, string> {
  const entries = pairs.map((pair) => {
    const [, registry, url] = /^([^=]+)=(https?:\/\/.+)$/.exec(pair.trim()) ?? [];
    if (registry === undefined || url === undefined || !URL.canParse(url)) {
      throw new IkomaError("USAGE", `${JSON.stringify(pair)} is not a registry mirror.`, {
        hint: "Write registry=URL, for example docker.io=http://127.0.0.1:5000.",
      });
    }
    return [registry, url] as const;
  });
  return Object.fromEntries(entries);
}

/** Without port and brackets. */
const hostName = (host: string): string => host.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");

function isPrivateAddress(host: string): boolean {
  const name = hostName(host);
  return isIP(name) === 4 && /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(name);
}
