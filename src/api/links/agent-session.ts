import { randomUUID } from "node:crypto";
import { FrameInbox } from "../../core/link/frame-inbox.ts";
import { FrameQueue } from "../../core/link/frame-queue.ts";
import { maxWaitingBytes, type Frames } from "../../core/link/link-protocol.ts";

/** Why a session is over: another agent took its place, it stopped asking, the API ends. */
export type SessionEnd = "superseded" | "away" | "closing";

/** Where the lines of a channel go. */
export interface ChannelSink {
  line(text: string): void;
  /** The agent's side, or the way there, has ended. */
  closed(): void;
}

/** One caller's way to the agent. */
interface Channel {
  readonly owner: string;
  readonly sink: ChannelSink;
  /** Number of the caller's last request. */
  received: number;
}

export interface SessionTimes {
  readonly holdMs: number;
  readonly graceMs: number;
}

const mostChannels = 256;

/** An agent that is connected: what is on its way to it, and the channels of its host. */
export class AgentSession {
  readonly id = randomUUID();
  readonly instance: string;
  readonly ended: Promise<SessionEnd>;
  readonly #times: SessionTimes;
  readonly #queue = new FrameQueue();
  readonly #inbox = new FrameInbox();
  readonly #channels = new Map<string, Channel>();
  readonly #end = Promise.withResolvers<SessionEnd>();
  /** The request for calls that is held; it gives way to the next. */
  #release: (() => void) | undefined;
  /** Whose answers have not gone out yet. */
  #polls = 0;
  #seenMs = Date.now();
  #grace: NodeJS.Timeout | undefined;
  #reason: SessionEnd | undefined;

  constructor(instance: string, times: SessionTimes) {
    this.instance = instance;
    this.#times = times;
    this.ended = this.#end.promise;
    this.#beginGrace();
  }

  /** When the agent was last heard of, Unix time in ms: now, where it waits for calls. */
  get seenMs(): number {
    return this.#polls > 0 && this.#reason === undefined ? Date.now() : this.#seenMs;
  }

  get endReason(): SessionEnd | undefined {
    return this.#reason;
  }

  /** What the agent has to do next; waits for it for a while. `after` acknowledges what came before. */
  async poll(after: number, signal: AbortSignal): Promise<Frames> {
    this.#polls += 1;
    this.#release?.();
    clearTimeout(this.#grace);
    if (this.#reason === undefined && !this.#queue.hasMore(after)) await this.#hold(signal);
    // What is taken now and does not arrive is taken again.
    return signal.aborted ? { first: after + 1, frames: [] } : this.#queue.take(after);
  }

  async #hold(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const release = (): void => {
      resolve(undefined);
    };
    this.#release = release;
    const timer = setTimeout(release, this.#times.holdMs);
    signal.addEventListener("abort", release);
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", release);
    if (this.#release === release) this.#release = undefined;
  }

  /** The request for calls is answered, or its connection gone: the next one has to come soon. */
  pollEnded(): void {
    this.#polls -= 1;
    this.#seenMs = Date.now();
    if (this.#polls === 0) this.#beginGrace();
  }

  /** Lines of the agent for its channels. False where some are missing before them. */
  accept(frames: Frames): boolean {
    const fresh = this.#inbox.accept(frames);
    for (const frame of fresh ?? []) {
      const sink = this.#channels.get(frame.channel)?.sink;
      if ("line" in frame) sink?.line(frame.line);
      else {
        // What is on its way to the agent would open it there again, with nobody to hear the answer.
        this.closeChannel(frame.channel);
        sink?.closed();
      }
    }
    return fresh !== undefined;
  }

  /** Undefined where there are too many. */
  openChannel(owner: string, sink: ChannelSink): string | undefined {
    if (this.#channels.size >= mostChannels) return undefined;
    const id = randomUUID();
    this.#channels.set(id, { owner, sink, received: 0 });
    return id;
  }

  /** Lines of a caller; a repeat is known by its number. False where the owner has no such channel, or it had to be ended. */
  send(id: string, owner: string, number: number, lines: readonly string[]): boolean {
    const channel = this.#channels.get(id);
    if (channel?.owner !== owner) return false;
    if (number <= channel.received) return true;
    const isNext = number === channel.received + 1;
    if (!isNext || this.#queue.bytes > maxWaitingBytes) {
      this.closeChannel(id);
      channel.sink.closed();
      return false;
    }
    channel.received = number;
    for (const line of lines) this.#queue.push({ channel: id, line });
    this.#release?.();
    return true;
  }

  /** The caller is gone: what the agent has not taken yet of its lines, it never gets. */
  closeChannel(id: string): void {
    if (!this.#channels.delete(id)) return;
    this.#queue.withdraw(id);
    this.#release?.();
  }

  end(reason: SessionEnd): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    clearTimeout(this.#grace);
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    for (const { sink } of channels) sink.closed();
    this.#release?.();
    this.#end.resolve(reason);
  }

  #beginGrace(): void {
    clearTimeout(this.#grace);
    if (this.#reason !== undefined) return;
    this.#grace = setTimeout(() => {
      this.end("away");
    }, this.#times.graceMs);
    this.#grace.unref();
  }
}
