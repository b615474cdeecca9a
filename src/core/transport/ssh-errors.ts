import type { HostConfig } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";
import { fingerprint, keyType } from "./host-key.ts";
import type { SshAuth } from "./ssh-auth.ts";

/** A host in messages: `root@203.0.113.7`, with the port where it is not the usual one. */
export function hostLabel({ user, address, port }: Pick<HostConfig, "user" | "address" | "port">): string {
  return `${user}@${address}${port === 22 ? "" : `:${port}`}`;
}

/** What is known when a connection could not be made. */
interface FailedAttempt {
  readonly host: HostConfig;
  readonly auth: SshAuth;
  /** The key that the server showed, if it came to that. */
  readonly offeredKey: string | undefined;
  readonly error: unknown;
}

/** Why a connection could not be made, as HOST_KEY_CHANGED, HOST_AUTH or HOST_UNREACHABLE. */
export function connectError({ host, auth, offeredKey, error }: FailedAttempt): IkomaError {
  const reason = error instanceof Error ? error.message : String(error);
  if (offeredKey !== undefined && offeredKey !== host.hostKey) return keyChangedError(host, offeredKey, error);
  if (/no matching host key/.test(reason)) return keyTypeGoneError(host, error);
  if (offeredKey !== undefined && isAuthFailure(error)) return authError(host, auth, error);
  return unreachableError(host, reason, error);
}

/** A server that cannot be talked to. */
export function unreachableError(
  host: Pick<HostConfig, "user" | "address" | "port">,
  reason: string,
  cause: unknown,
): IkomaError {
  const hint = "Check the address and port, and that the server is up and lets SSH through its firewall.";
  return new IkomaError("HOST_UNREACHABLE", `${hostLabel(host)} cannot be reached: ${explain(reason)}.`, {
    hint,
    cause,
  });
}

/** A connection that had worked and ended. */
export function lostError(host: HostConfig, reason: unknown): IkomaError {
  const why = reason instanceof Error ? `: ${explain(reason.message)}` : "";
  return new IkomaError("HOST_UNREACHABLE", `The connection to ${hostLabel(host)} was lost${why}.`, { cause: reason });
}

function keyChangedError(host: HostConfig, offeredKey: string, cause: unknown): IkomaError {
  const [pinned, offered] = [fingerprint(host.hostKey), fingerprint(offeredKey)];
  return new IkomaError(
    "HOST_KEY_CHANGED",
    `${hostLabel(host)} shows another key than the trusted one: ${offered} instead of ${pinned} (${keyType(host.hostKey)}). ` +
      "The server was installed anew, or somebody else answers in its place.",
    {
      hint: "Find out which; if the new key is right, run `ikoma host trust … --replace`.",
      details: { pinned, offered },
      cause,
    },
  );
}

function keyTypeGoneError(host: HostConfig, cause: unknown): IkomaError {
  const pinned = fingerprint(host.hostKey);
  return new IkomaError(
    "HOST_KEY_CHANGED",
    `${hostLabel(host)} has no key of the trusted type any more (${keyType(host.hostKey)}, ${pinned}).`,
    { hint: "Find out why; if its new key is right, run `ikoma host trust … --replace`.", details: { pinned }, cause },
  );
}

function isAuthFailure(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    (error as { level?: string }).level === "client-authentication" ||
    /Too many authentication failures/i.test(error.message)
  );
}

function authError(host: HostConfig, auth: SshAuth, cause: unknown): IkomaError {
  const skipped = auth.skipped.length === 0 ? "" : ` Not tried: ${auth.skipped.join("; ")}.`;
  return new IkomaError(
    "HOST_AUTH",
    `${hostLabel(host)} accepts none of our keys (${auth.tried.join(", ")}).${skipped}`,
    {
      hint: `Put your public key on the host (\`ssh-copy-id ${host.user}@${host.address}\`), or name the right one with identityFile.`,
      cause,
    },
  );
}

/** Node's and ssh2's terse reasons for people. */
function explain(reason: string): string {
  if (reason.includes("ECONNREFUSED")) return "nothing listens on that port";
  if (/ENOTFOUND|EAI_AGAIN/.test(reason)) return "the name is not known";
  if (/EHOSTUNREACH|ENETUNREACH/.test(reason)) return "there is no way to that address";
  if (/ETIMEDOUT|Keepalive timeout/.test(reason)) return "it does not answer";
  if (reason.includes("ECONNRESET")) return "it cut the connection";
  return reason.replace(/\.$/, "");
}
