import { BlockList, isIP } from "node:net";
import { IkomaError } from "../errors.ts";
import { isLoopback } from "../link/loopback.ts";
import { parsePostgresUrl, type PostgresUrl, type PostgresUrlFlaw } from "./postgres-url.ts";
import type { DatabaseTarget } from "./remote-database.ts";

/** What a database's URL says. */
export interface DatabaseUrl extends DatabaseTarget {
  readonly password: string | undefined;
  /** Without it the connection does not leave this machine, or a private network that somebody trusts. */
  readonly isEncrypted: boolean;
}

const incomplete = "does not say host, user and database";
const flaws: Readonly<Record<PostgresUrlFlaw, string>> = {
  unreadable: "cannot be read",
  scheme: "does not begin with postgresql://",
  encoding: "has a % that begins no encoded character",
  incomplete,
};
const verifyingModes = ["require", "verify-ca", "verify-full"];
/** Parameters that would lead somewhere else, or make another session than is said here. */
const unsupported = ["host", "hostaddr", "port", "user", "password", "dbname", "options", "service"];

/**
 * Reads a URL of a PostgreSQL database. Nothing of it is in what is thrown: a URL that cannot be read may have its
 * password anywhere.
 *
 * @param hasOwnAuthority a certificate of the authority is given, so the connection is to be encrypted
 * @throws DATABASE_URL_INVALID; DATABASE_POOLED where the address alone says that it is a pooler's in transaction mode
 */
export function readDatabaseUrl(text: string, hasOwnAuthority = false): DatabaseUrl {
  const { host, port, user, password, database, parameters } = parsed(text);
  // A socket's folder is no host: the database is another machine's.
  if (user === undefined || host.startsWith("/")) throw invalid(incomplete);
  if (password === "[YOUR-PASSWORD]") throw invalid("still has the placeholder [YOUR-PASSWORD]");
  const foreign = unsupported.find((name) => parameters.has(name));
  if (foreign !== undefined) throw invalid(`has the parameter ${foreign}, which is not supported here`);
  refuseTransactionPooler(host, port, parameters);
  const isEncrypted = encryptionOf(host, parameters.get("sslmode"), hasOwnAuthority);
  return { host, port, user, database, password, isEncrypted };
}

/** Where a URL leads to, without what is secret in it. */
export function targetOf({ host, port, database, user }: DatabaseUrl): DatabaseTarget {
  return { host, port, database, user };
}

/** A target in words. */
export function describeTarget({ host, port, database, user }: DatabaseTarget): string {
  return `${database} at ${host.includes(":") ? `[${host}]` : host}:${port} as ${user}`;
}

/** Why a pooler in transaction mode will not do, and what will. */
export function pooledRefusal(what: string): IkomaError {
  return new IkomaError(
    "DATABASE_POOLED",
    `${what}: each transaction may get another session there, so the lock that keeps two runs apart would be nobody's. Nothing was run.`,
  );
}

function parsed(text: string): PostgresUrl {
  const read = parsePostgresUrl(text);
  if (typeof read === "string") throw invalid(flaws[read]);
  return read;
}

/** Supabase has its poolers in transaction mode on 6543, shared and dedicated ones; Neon has them under another name. */
function refuseTransactionPooler(host: string, port: number, parameters: URLSearchParams): void {
  if (port === 6543 && /\.supabase\.(com|co|net)$/.test(host))
    throw pooledRefusal(`${host}:6543 is Supabase's pooler in transaction mode`);
  if (/-pooler\..*\.?neon\.tech$/.test(host)) throw pooledRefusal(`${host} is Neon's pooler, in transaction mode`);
  if (parameters.get("pgbouncer") === "true")
    throw pooledRefusal("The URL says pgbouncer=true, a pooler in transaction mode");
}

function encryptionOf(host: string, mode: string | null, hasOwnAuthority: boolean): boolean {
  if (mode === "disable") {
    if (hasOwnAuthority)
      throw invalid("says sslmode=disable, and `caCert` says who has to vouch for the server: take one out");
    if (isLoopback(host) || isPrivate(host)) return false;
    throw new IkomaError(
      "DATABASE_URL_INVALID",
      `The database's URL says sslmode=disable for ${host}: everything, rows included, would go over the internet for anybody to read and to change.`,
      {
        hint: "Take sslmode out of the URL. A server whose certificate is of an authority of its own needs `caCert` beside it; only loopback and addresses of private networks may do without encryption.",
      },
    );
  }
  if (mode !== null && !["allow", "prefer", ...verifyingModes].includes(mode))
    throw invalid("has a sslmode that is not known");
  return !isLoopback(host) || hasOwnAuthority || verifyingModes.includes(mode ?? "");
}

const privateNetworks = new BlockList();
for (const [network, bits] of [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["169.254.0.0", 16],
  ["100.64.0.0", 10],
] as const)
  privateNetworks.addSubnet(network, bits, "ipv4");
privateNetworks.addSubnet("fc00::", 7, "ipv6");
privateNetworks.addSubnet("fe80::", 10, "ipv6");

/** An address of a network that is not the internet. A name is none: what it stands for may change. */
function isPrivate(host: string): boolean {
  const family = isIP(host);
  return family !== 0 && privateNetworks.check(host, family === 4 ? "ipv4" : "ipv6");
}

function invalid(what: string): IkomaError {
  return new IkomaError("DATABASE_URL_INVALID", `The database's URL ${what}.`);
}
