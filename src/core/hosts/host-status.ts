import type { Result } from "../../agent/protocol/methods.ts";
import type { Handshake } from "../../agent/protocol/views.ts";
import type { HostWay } from "../config/schema.ts";
import { toIkomaError } from "../errors.ts";
import { openHostAgent, wayLabel } from "../transport/host-agent.ts";
import { fingerprint } from "../transport/host-key.ts";

/** A host as its agent tells it; `error` instead where it did not answer. */
export interface HostStatus {
  readonly name: string;
  /** `root@203.0.113.7`, or the API or the socket that it is reached through. */
  readonly address: string;
  /** Where it is reached over SSH. */
  readonly hostKey?: string;
  readonly agent?: Handshake & {
    /** The host's clock minus ours, in ms. */
    readonly clockSkewMs: number;
    /** From the first packet to the agent's first answer, in ms. */
    readonly connectMs: number;
    /** Of the later question, in ms. */
    readonly answerMs: number;
  };
  readonly apps?: Result<"app.status">["apps"];
  /** What the agent put right by itself since it was started. */
  readonly repairs?: Result<"app.status">["repairs"];
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

/** Asks a host's agent how things are. Does not throw: what went wrong is the status. */
export async function readHostStatus(name: string, way: HostWay): Promise<HostStatus> {
  const base = { name, address: wayLabel(way), ...("hostKey" in way && { hostKey: fingerprint(way.hostKey) }) };
  const agent = await openHostAgent({ name, way });
  try {
    const startedMs = performance.now();
    const { apps, repairs } = await agent.call("app.status", {});
    const connectMs = Math.round(performance.now() - startedMs);
    const askedMs = Date.now();
    const handshake = await agent.handshake();
    const answeredMs = Date.now();
    const clockSkewMs = Math.round(handshake.clockMs - (askedMs + answeredMs) / 2);
    return { ...base, agent: { ...handshake, clockSkewMs, connectMs, answerMs: answeredMs - askedMs }, apps, repairs };
  } catch (thrown) {
    const { code, message, hint } = toIkomaError(thrown);
    return { ...base, error: { code, message, hint } };
  } finally {
    await agent.close();
  }
}
