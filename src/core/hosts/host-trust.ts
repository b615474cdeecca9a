import { isDeepStrictEqual } from "node:util";
import type { HostWay } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";
import { fingerprint } from "../transport/host-key.ts";
import {
  hostFilePath,
  hostsStack,
  readHostFiles,
  writeHostEntry,
  type HostEntry,
  type HostFile,
} from "./host-files.ts";

/** A host as it is to be reached, its key not yet trusted. */
export interface HostAddress {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly identityFile?: string;
}

/** What is known of a host's key before it is trusted. */
export interface TrustDecision {
  readonly hostKey: string;
  readonly fingerprint: string;
  /** `trusted`: the files have it already; `proved`: the caller named its fingerprint; `ask`: somebody has to look. */
  readonly state: "trusted" | "proved" | "ask";
}

/** What decides about a key that a server showed. */
export interface TrustQuestion {
  readonly host: HostAddress;
  /** The server's keys, the preferred one first. */
  readonly keys: readonly string[];
  /** `SHA256:…` that the caller knows from elsewhere. */
  readonly expected: string | undefined;
  /** The caller says that another key than the trusted one is right. */
  readonly replace: boolean;
  readonly files: readonly HostFile[];
}

/**
 * Decides about the keys that a server showed.
 *
 * @throws HOST_KEY_UNKNOWN where none has the named fingerprint, HOST_KEY_CHANGED where another key is trusted
 */
export function decideTrust({ host, keys, expected, replace, files }: TrustQuestion): TrustDecision {
  const trusted = files.flatMap((file) => keyOf(file.hosts[host.name]));
  const known = keys.find((key) => trusted.includes(key));
  const hostKey = expected === undefined ? (known ?? keys[0] ?? "") : keyWith(keys, expected, host);
  const shown = fingerprint(hostKey);
  const other = trusted.find((key) => key !== hostKey);
  if (other !== undefined && known === undefined && !replace) {
    throw new IkomaError(
      "HOST_KEY_CHANGED",
      `${host.name} (${host.address}) shows the key ${shown}; trusted is ${fingerprint(other)}.`,
      {
        hint: "Find out why. If the new key is right (the server was installed anew), run again with --replace.",
        details: { pinned: fingerprint(other), offered: shown },
      },
    );
  }
  const state = expected !== undefined ? "proved" : known !== undefined ? "trusted" : "ask";
  return { hostKey, fingerprint: shown, state };
}

/** A stack that reaches the host another way goes on doing so. */
function usesSsh({ hosts, usedHosts }: HostFile, name: string): boolean {
  const way = hosts[name];
  return way === undefined ? usedHosts.includes(name) : "hostKey" in way;
}

function keyOf(way: HostWay | undefined): string[] {
  return way !== undefined && "hostKey" in way ? [way.hostKey] : [];
}

function keyWith(keys: readonly string[], expected: string, host: HostAddress): string {
  const wanted = expected.replace(/=+$/, "");
  const found = keys.find((key) => fingerprint(key) === wanted);
  if (found !== undefined) return found;
  const shown = keys.map((key) => `${fingerprint(key)} (${key.split(" ")[0] ?? ""})`).join(", ");
  throw new IkomaError(
    "HOST_KEY_UNKNOWN",
    `${host.address} has no key with the fingerprint ${wanted}; it shows ${shown}.`,
    {
      hint: "On the server, `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` prints the right one.",
    },
  );
}

/** A stack's file that knows the host now, and whether that changed it. */
export interface TrustedFile {
  readonly stack: string;
  readonly path: string;
  readonly changed: boolean;
}

/**
 * Writes a trusted host into the stack `hosts`, into the stacks that were named, and into every other one that uses
 * the host.
 */
export async function writeTrust(
  folder: string,
  host: HostAddress,
  hostKey: string,
  named: readonly string[],
): Promise<TrustedFile[]> {
  const files = await readHostFiles(folder);
  const using = files.filter((file) => usesSsh(file, host.name));
  const stacks = [...new Set([hostsStack, ...named, ...using.map((file) => file.stack)])];
  return Promise.all(
    stacks.map(async (stack) => {
      const path = hostFilePath(folder, stack);
      const before = files.find((file) => file.stack === stack)?.hosts[host.name];
      const changed =
        !isSameHost(before, host, hostKey) && (await writeHostEntry(path, host.name, entryOf(host, hostKey)));
      return { stack, path, changed };
    }),
  );
}

function isSameHost(before: HostWay | undefined, host: HostAddress, hostKey: string): boolean {
  const { address, port, user, identityFile } = host;
  const wanted = { address, port, user, hostKey, ...(identityFile !== undefined && { identityFile }) };
  return isDeepStrictEqual(before, wanted);
}

function entryOf({ address, port, user, identityFile }: HostAddress, hostKey: string): HostEntry {
  return {
    address,
    hostKey,
    ...(port !== 22 && { port }),
    ...(user !== "root" && { user }),
    ...(identityFile !== undefined && { identityFile }),
  };
}
