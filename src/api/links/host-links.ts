import { graceMs, holdMs } from "../../core/link/link-protocol.ts";
import { AgentSession, type SessionEnd, type SessionTimes } from "./agent-session.ts";

/** The agents that are connected, by host: one each, the newest. */
export class HostLinks {
  readonly #times: SessionTimes;
  readonly #sessions = new Map<string, AgentSession>();
  /** Of each host, the session that another agent ended: it is to be told so. */
  readonly #superseded = new Map<string, string>();
  readonly #waiting = new Map<string, Set<(session: AgentSession) => void>>();
  readonly #onEnd: (host: string, session: AgentSession, reason: SessionEnd) => void;

  constructor(
    onEnd: (host: string, session: AgentSession, reason: SessionEnd) => void,
    times: Partial<SessionTimes> = {},
  ) {
    this.#onEnd = onEnd;
    this.#times = { holdMs, graceMs, ...times };
  }

  /**
   * An agent comes. The newer of two wins; one that yields comes only where no other is. Undefined where it has to stay
   * away.
   */
  open(host: string, instance: string, yields: boolean): AgentSession | undefined {
    const before = this.#sessions.get(host);
    if (before !== undefined && before.instance !== instance) {
      if (yields) return undefined;
      this.#superseded.set(host, before.id);
    }
    before?.end("superseded");
    const session = new AgentSession(instance, this.#times);
    this.#sessions.set(host, session);
    void session.ended.then((reason) => {
      if (this.#sessions.get(host) === session) this.#sessions.delete(host);
      this.#onEnd(host, session, reason);
    });
    for (const tell of this.#waiting.get(host) ?? []) tell(session);
    return session;
  }

  /** The host's session, if that is the one with this id. */
  find(host: string, id: string): AgentSession | undefined {
    const session = this.#sessions.get(host);
    return session?.id === id ? session : undefined;
  }

  wasSuperseded(host: string, id: string): boolean {
    return this.#superseded.get(host) === id;
  }

  /** Every host whose agent is connected. */
  all(): ReadonlyMap<string, AgentSession> {
    return this.#sessions;
  }

  current(host: string): AgentSession | undefined {
    return this.#sessions.get(host);
  }

  /** The host's session; waits for it for so long, or until nobody wants it any more. */
  async wait(host: string, waitMs: number, signal: AbortSignal): Promise<AgentSession | undefined> {
    const now = this.#sessions.get(host);
    if (now !== undefined || waitMs <= 0 || signal.aborted) return now;
    const { promise, resolve } = Promise.withResolvers<AgentSession | undefined>();
    const giveUp = (): void => {
      resolve(undefined);
    };
    const waiting = this.#waiting.get(host) ?? new Set();
    this.#waiting.set(host, waiting.add(resolve));
    const timer = setTimeout(giveUp, waitMs);
    signal.addEventListener("abort", giveUp);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      waiting.delete(resolve);
      if (waiting.size === 0) this.#waiting.delete(host);
    }
  }

  close(): void {
    for (const session of this.#sessions.values()) session.end("closing");
  }
}
