/** How far a request had come when its connection failed. */
export interface FailurePoint {
  /** Sent on a connection that had carried an earlier request. */
  reused: boolean;
  connected: boolean;
  answerBegun: boolean;
}

/** How one request ended. */
export interface RequestOutcome {
  /** `ok`, `status-503`, or a kind of `failureKind`. */
  kind: string;
  status?: number;
  version?: string;
  reused: boolean;
  /** Time that a reused connection had been idle before this request. */
  idleMs?: number;
  /** Error message, for the report's examples. */
  detail?: string;
}

/** The kind of a success; every other kind is a failure. */
export const OK = "ok";

const EXHAUSTED = new Set(["EADDRNOTAVAIL", "EMFILE", "ENFILE", "ENOBUFS"]);
const UNREACHABLE = new Set(["EHOSTUNREACH", "ENETUNREACH", "EHOSTDOWN", "ENETDOWN"]);

/**
 * Names a transport error. There are no retries, so each one is a failed request.
 *
 * `reset-on-reused-connection`: closed before a byte of the answer, on a connection used before. That is what the
 * keep-alive race looks like (the server closes an idle connection while the request is on its way), and also what
 * a server that died with the request in hand looks like; a client cannot tell. Hence its own kind, counted as
 * failed; the examples in the report say how long the connection had been idle.
 *
 * `generator-exhausted` is this machine's fault (ports, descriptors), not the server's.
 */
export function failureKind(error: NodeJS.ErrnoException, point: FailurePoint): string {
  const code = error.code ?? "";
  if (EXHAUSTED.has(code)) return "generator-exhausted";
  if (code === "ECONNREFUSED") return "connection-refused";
  if (UNREACHABLE.has(code)) return "unreachable";
  if (code.startsWith("HPE_")) return "malformed-answer";
  if (!point.connected) return code === "ETIMEDOUT" ? "connect-timeout" : "connect-failed";
  if (point.answerBegun) return "answer-cut-short";
  return point.reused ? "reset-on-reused-connection" : "reset-before-answer";
}

/** The kind of a complete answer: `post` streams accept 201 only, the others 200 to 399. */
export function statusKind(status: number, mode: "keep-alive" | "new-connections" | "post"): string {
  const accepted = mode === "post" ? status === 201 : status >= 200 && status < 400;
  return accepted ? OK : `status-${status}`;
}
