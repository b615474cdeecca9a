import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Duplex } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { operations } from "../../agent/protocol/operations.ts";
import { protocolVersion } from "../../agent/protocol/wire.ts";
import type { Method, Params, Result } from "../../agent/protocol/methods.ts";
import type {
  Holder,
  OperationInput,
  OperationKind,
  OperationResult,
  OperationView,
} from "../../agent/protocol/operations.ts";
import type { Handshake } from "../../agent/protocol/views.ts";
import type { OperationEvent } from "../../agent/protocol/wire.ts";
import { IkomaError } from "../errors.ts";
import { userName } from "../user-name.ts";
import { Persistence } from "./persistence.ts";
import { fromWire, RpcChannel } from "./rpc-channel.ts";

/** Opens a new stream to the agent's socket. */
export type OpenStream = () => Promise<Duplex>;

/** One operation that changes the host. */
export interface OperationRequest<K extends OperationKind> {
  /** A repeat with the same key attaches to what is under way, or gets its result. */
  key: string;
  input: OperationInput<K>;
  /** Null only where the caller knows nothing (adoption). */
  expectedGeneration: number | null;
  onEvent?: (event: OperationEvent) => void;
  /** Aborting it asks the agent to cancel; the operation's end is still waited for. */
  signal?: AbortSignal;
}

/** How an operation ended, when it ended well. */
export interface OperationOutcome<K extends OperationKind> {
  result: OperationResult<K>;
  /** Generation of the part after it. */
  generation: number;
}

export interface AgentClientOptions {
  /** Who asks, for whoever has to wait. @default user@machine (process N) */
  readonly holderLabel?: string;
  /** How long a lost agent is looked for in the middle of an operation. @default 30_000 */
  readonly reconnectMs?: number;
  /** An agent that does not answer a cancellation for so long does not hear it: it is connected to anew. @default 5_000 */
  readonly cancelMs?: number;
}

const callTimeoutMs = 30_000;
const defaultReconnectMs = 30_000;
const defaultCancelMs = 5_000;
/** For an agent that is just starting: after a boot, a crash, an upgrade. */
const startGraceMs = 10_000;
const endedPollMs = 200;

/** A deploy's lease belongs to this process. */
const holderId = randomUUID();

/**
 * The agent of one host. A connection that is lost in the middle of an operation is opened again and
 * the operation attached to where its events had come to: nothing is lost, nothing is done twice.
 */
export class AgentClient {
  readonly #open: OpenStream;
  readonly #holder: Holder;
  readonly #reconnectMs: number;
  readonly #cancelMs: number;
  #channel: RpcChannel | undefined;
  #opening: Promise<RpcChannel> | undefined;
  readonly #listeners = new Map<string, (event: OperationEvent) => void>();

  constructor(open: OpenStream, options: AgentClientOptions = {}) {
    const { holderLabel, reconnectMs = defaultReconnectMs, cancelMs = defaultCancelMs } = options;
    this.#open = open;
    this.#holder = { id: holderId, label: holderLabel ?? processLabel() };
    this.#reconnectMs = reconnectMs;
    this.#cancelMs = cancelMs;
  }

  /**
   * What the host is and has.
   *
   * @throws AGENT_PROTOCOL where one side is too old for the other
   */
  handshake(): Promise<Handshake> {
    return this.call("handshake", { protocol: protocolVersion, client: this.#holder.label });
  }

  /** One request. All of them can be repeated, so a connection that turns out to be dead is replaced once. */
  async call<M extends Method>(method: M, params: Params<M>, { timeoutMs = callTimeoutMs } = {}): Promise<Result<M>> {
    const channel = await this.#connectedInGrace();
    try {
      return await channel.call(method, params, timeoutMs);
    } catch (error) {
      if (!channel.isLost || !isLost(error)) throw error;
      return (await this.#connectedInGrace()).call(method, params, timeoutMs);
    }
  }

  /**
   * Starts the operation, or attaches to it, and waits for its end.
   *
   * @throws the error that it ended with; AGENT_CONNECTION_LOST when the agent cannot be found again, while the
   *   operation goes on
   */
  async runOperation<K extends OperationKind>(kind: K, request: OperationRequest<K>): Promise<OperationOutcome<K>> {
    const { key, signal, expectedGeneration, onEvent } = request;
    const isCancelled = (): boolean => signal?.aborted === true;
    if (isCancelled()) throw cancelledBefore();
    const input = operations[kind].input.parse(request.input);
    // Whoever is not there to begin with is not waited for.
    await this.#connectedInGrace();
    // It may have been waited for.
    if (isCancelled()) throw cancelledBefore();
    const persistence = new Persistence({ forMs: this.#reconnectMs });
    let seen = 0;
    this.#listeners.set(key, (event) => {
      if (event.seq <= seen) return;
      seen = event.seq;
      persistence.progress();
      onEvent?.(event);
    });
    const cancel = (): void => {
      const channel = this.#channel;
      // It is answered at once. Where it is not, the end would not come either, until the silence is noticed.
      channel?.call("operation.cancel", { key }, this.#cancelMs).catch((error: unknown) => {
        if (error instanceof IkomaError && error.code === "TIMEOUT") channel.close();
      });
    };
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      const holder = this.#holder;
      await this.#persistently(persistence, (channel) =>
        channel.call("operation.start", { key, kind, input, expectedGeneration, holder }, callTimeoutMs),
      );
      const ended = await this.#persistently(persistence, async (channel) => {
        // Also after a reconnect: a cancellation that was lost on the way must not be forgotten.
        if (isCancelled()) cancel();
        return untilEnded(channel, key, () => seen);
      });
      return outcome(kind, ended);
    } finally {
      this.#listeners.delete(key);
      signal?.removeEventListener("abort", cancel);
    }
  }

  /** The client can be used again: the next request connects anew. */
  async close(): Promise<void> {
    const opened = await this.#opening?.catch(() => undefined);
    opened?.close();
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Repeats a request that can be repeated, over new connections, until it is answered or nothing moves any more. */
  #persistently<T>(persistence: Persistence, request: (channel: RpcChannel) => Promise<T>): Promise<T> {
    return persistence.run(async () => request(await this.#connected()));
  }

  /** An agent that is just starting takes connections and drops them: that passes. */
  #connectedInGrace(): Promise<RpcChannel> {
    if (this.#channel?.isLost === false) return Promise.resolve(this.#channel);
    return new Persistence({ forMs: startGraceMs, passing: ["AGENT_CONNECTION_LOST"] }).run(() => this.#connected());
  }

  #connected(): Promise<RpcChannel> {
    if (this.#channel?.isLost === false) return Promise.resolve(this.#channel);
    this.#opening ??= this.#connect().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #connect(): Promise<RpcChannel> {
    const channel = new RpcChannel(await this.#open(), ({ key, event }) => this.#listeners.get(key)?.(event));
    await requireSameProtocol(channel, this.#holder.label);
    this.#channel = channel;
    return channel;
  }
}

const anyHandshake = z.looseObject({ protocol: z.number() });

/** The version alone is read first: the rest may look different in another version. */
async function requireSameProtocol(channel: RpcChannel, client: string): Promise<void> {
  try {
    const answer = await channel.request("handshake", { protocol: protocolVersion, client }, callTimeoutMs);
    const { protocol } = anyHandshake.parse(answer);
    if (protocol === protocolVersion) return;
    const isAgentOlder = protocol < protocolVersion;
    throw new IkomaError(
      "AGENT_PROTOCOL",
      `The agent speaks protocol ${protocol}, this program ${protocolVersion}: ${isAgentOlder ? "the agent" : "this program"} is too old.`,
      {
        hint: isAgentOlder
          ? "Upgrade the agent: `ikoma host bootstrap`."
          : "Upgrade this program to the agent's version.",
      },
    );
  } catch (error) {
    channel.close();
    throw error;
  }
}

/** An agent that has just restarted may still be ending the operation: asked again, it tells the end. */
async function untilEnded(channel: RpcChannel, key: string, seen: () => number): Promise<OperationView> {
  for (;;) {
    const view = await channel.call("operation.attach", { key, after: seen() });
    if (view.state !== "running") return view;
    await sleep(endedPollMs);
  }
}

function outcome<K extends OperationKind>(kind: K, view: OperationView): OperationOutcome<K> {
  if (view.state !== "succeeded") throw fromWire(view.error, `${kind} ended as ${view.state} without a reason.`);
  const result = operations[kind].result.safeParse(view.result);
  if (result.success && view.generation !== undefined) {
    // The catalogue pairs the kind with this schema, which the compiler cannot follow.
    return { result: result.data as OperationResult<K>, generation: view.generation };
  }
  throw new IkomaError("AGENT_PROTOCOL", `The agent's result of ${kind} cannot be read.`, { cause: result.error });
}

function cancelledBefore(): IkomaError {
  return new IkomaError("CANCELLED", "The operation was cancelled before it began.");
}

function isLost(error: unknown): boolean {
  return error instanceof IkomaError && error.code === "AGENT_CONNECTION_LOST";
}

function processLabel(): string {
  return `${userName()}@${hostname()} (process ${process.pid})`;
}
