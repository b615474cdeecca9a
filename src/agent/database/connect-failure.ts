import { isIP } from "node:net";
import * as z from "zod";
import { describeTarget } from "../../core/database/database-url.ts";
import { IkomaError } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { redactor } from "../../core/redaction.ts";
import type { RemoteServer } from "./remote-server.ts";

/** What a failure was most likely for, and what to do about it. Without a hint the table's own. */
interface Reason {
  readonly code: ErrorCode;
  readonly why: string;
  readonly hint?: string;
}

/** A failure of the network, of TLS or of the server, as the driver gives it. */
interface Failure {
  readonly code: string;
  readonly message: string;
  /** That was dialled. */
  readonly address: string;
}

const reachable = "DATABASE_UNREACHABLE";
const certificateErrors =
  /^(ERR_TLS_|ERR_SSL_|ERR_OSSL|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_MISMATCH|EPROTO$)/;

/**
 * Why no connection to a database elsewhere could be made, as seen from the app's host. The password is in none of it.
 */
export function connectFailure(server: RemoteServer, cause: unknown): IkomaError {
  const failures = failuresOf(cause);
  const { code, why, hint } = reasonOf(server, failures);
  const mask = redactor(server.password === undefined ? [] : [server.password]);
  const where = describeTarget({ ...server, host: server.address });
  return new IkomaError(code, `The database ${where} cannot be reached from the app's host: ${mask(why)}.`, {
    ...(hint !== undefined && { hint }),
    details: { host: server.address, port: server.port, reasons: failures.map((each) => each.code) },
    cause,
  });
}

function reasonOf(server: RemoteServer, failures: readonly Failure[]): Reason {
  // Of a name with addresses of both kinds, those of IPv6 say nothing where the host has no way to any.
  const told = failures.filter((each) => !isWithoutIpv6(each));
  const [first = failures[0]] = told;
  if (first === undefined) return { code: reachable, why: "it is not known why" };
  if (told.length === 0) return withoutIpv6(first.address);
  return (
    networkReason(server, first) ??
    encryptionReason(server, first) ??
    loginReason(server, first) ?? { code: reachable, why: said(first) }
  );
}

function isWithoutIpv6({ code, address }: Failure): boolean {
  return ["ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH"].includes(code) && isIP(address) === 6;
}

function withoutIpv6(address: string): Reason {
  return {
    code: reachable,
    why: `it has only an address of IPv6 (${address}), and the host has no way to it`,
    hint: "Of Supabase take the URL of the session pooler (…pooler.supabase.com:5432), which has IPv4, or book the project's IPv4 add-on; or give the server IPv6.",
  };
}

function networkReason({ address, port }: RemoteServer, { code, message }: Failure): Reason | undefined {
  switch (code) {
    case "ENOTFOUND":
      return {
        code: reachable,
        why: `there is no host of the name ${address}`,
        hint: "Correct the host in the URL. A project of Supabase that is paused or deleted may have no name: restore it in its dashboard.",
      };
    case "EAI_AGAIN":
      return {
        code: reachable,
        why: `the name ${address} could not be looked up: the host's DNS did not answer`,
        hint: "See that DNS works on the server (`getent hosts`), then run the same command again.",
      };
    case "ECONNREFUSED":
      return {
        code: reachable,
        why: `nobody listens on port ${port} there`,
        hint: "Correct the port in the URL, and see that the database runs and listens on that address.",
      };
    case "ETIMEDOUT":
    case "ENETUNREACH":
    case "EHOSTUNREACH":
      return {
        code: reachable,
        why: "nobody answers",
        hint: "See that the database's firewall lets the server's address in (network restrictions of Supabase, IP allow list of Neon, security group of RDS), that the project is not paused, and that the server may dial out on that port.",
      };
    case "ECONNRESET":
      return { code: reachable, why: `the connection was closed (${message})` };
    default:
      return undefined;
  }
}

function encryptionReason({ tls }: RemoteServer, failure: Failure): Reason | undefined {
  const { code, message } = failure;
  if (message === "The server does not support SSL connections")
    return {
      code: "DATABASE_TLS",
      why: "it does not encrypt (its `ssl` is off)",
      hint: "Switch TLS on at the database. On a private network, by its address, the URL may say sslmode=disable.",
    };
  if (!certificateErrors.test(code)) return undefined;
  const authority = tls?.ca === undefined ? "any of the usual authorities" : "the authority of `caCert`";
  const why =
    code === "ERR_TLS_CERT_ALTNAME_INVALID" || code.startsWith("CERT_")
      ? said(failure)
      : `its certificate is not from ${authority} (${message})`;
  return { code: "DATABASE_TLS", why };
}

/** By SQLSTATE; what poolers say has none of its own, so by their words. */
function loginReason({ user }: RemoteServer, failure: Failure): Reason | undefined {
  const { code, message } = failure;
  if (/tenant or user not found/i.test(message))
    return {
      code: "DATABASE_AUTH",
      why: `the pooler does not know ${user} (${message})`,
      hint: "Supabase's pooler wants the user postgres.PROJECT, on the host of the project's own region; a paused project is not known there: restore it in its dashboard.",
    };
  if (/client password must be/.test(message))
    return {
      code: "DATABASE_AUTH",
      why: `it asks for a password of ${user}, and the URL has none`,
      hint: "Set the URL with its password: postgresql://USER:PASSWORD@HOST:5432/DATABASE; special characters of the password are percent-encoded.",
    };
  // 42501: the user may not connect to that database.
  if (["28P01", "28000", "3D000", "42501"].includes(code)) return { code: "DATABASE_AUTH", why: said(failure) };
  if (code === "53300" || /max ?clients/i.test(message))
    return {
      code: reachable,
      why: `it takes no further connection (${message})`,
      hint: "Wait until others have ended, or raise the limit of the database or its pooler; then run the same command again.",
    };
  return undefined;
}

function said({ code, message }: Failure): string {
  const state = /^[0-9A-Z]{5}$/.test(code) ? ` (SQLSTATE ${code})` : "";
  return `${message.replace(/\.$/, "")}${state}`;
}

/** Where a name has several addresses, each was tried. */
function failuresOf(cause: unknown): Failure[] {
  const read = facts.safeParse(cause);
  if (!read.success) return [{ code: "", message: String(cause), address: "" }];
  const { errors, message, code, address } = read.data;
  if (errors.length > 0) return errors.flatMap((each) => failuresOf(each));
  return [{ code: code ?? wordless(message), message, address: address ?? "" }];
}

const facts = z.object({
  message: z.string(),
  errors: z.array(z.unknown()).catch([]),
  code: z.string().optional().catch(undefined),
  address: z.string().optional().catch(undefined),
});

/** What the driver finds out by itself has no code. */
function wordless(message: string): string {
  if (/^timeout expired$|timeout exceeded/i.test(message)) return "ETIMEDOUT";
  return message === "Connection terminated unexpectedly" ? "ECONNRESET" : "";
}
