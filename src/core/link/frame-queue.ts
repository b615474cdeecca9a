import type { Frame, Frames } from "./link-protocol.ts";
import { frameBatchBytes } from "./link-protocol.ts";

/**
 * Frames on their way to the other side, in order. What was handed out is handed out again until it is acknowledged:
 * a lost answer costs nothing, and the other side knows a repeat by its number.
 */
export class FrameQueue {
  /** Handed out and not acknowledged; numbers from {@link #first}. */
  readonly #sent: Frame[] = [];
  readonly #waiting: Frame[] = [];
  #first = 1;
  #bytes = 0;

  push(frame: Frame): void {
    this.#waiting.push(frame);
    this.#bytes += sizeOf(frame);
  }

  /** Of all that is not acknowledged. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is anything to hand out, once all up to `acknowledged` is settled. */
  hasMore(acknowledged: number): boolean {
    return this.#waiting.length > 0 || this.#first + this.#sent.length - 1 > acknowledged;
  }

  /** What follows `acknowledged`: at most a batch, repeats first. */
  take(acknowledged: number): Frames {
    const settled = Math.min(Math.max(acknowledged - this.#first + 1, 0), this.#sent.length);
    for (const frame of this.#sent.splice(0, settled)) this.#bytes -= sizeOf(frame);
    this.#first += settled;
    let bytes = this.#sent.reduce((sum, frame) => sum + sizeOf(frame), 0);
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#sent.length > 0 && bytes + sizeOf(next) > frameBatchBytes) break;
      this.#waiting.shift();
      this.#sent.push(next);
      bytes += sizeOf(next);
    }
    return { first: this.#first, frames: [...this.#sent] };
  }

  /**
   * The channel's asker is gone: nothing of it that the other side may not have seen is told any more, only its end.
   * What was handed out keeps its number.
   */
  withdraw(channel: string): void {
    const end: Frame = { channel, closed: true };
    for (const [index, frame] of this.#sent.entries()) {
      if (frame.channel !== channel) continue;
      this.#bytes += sizeOf(end) - sizeOf(frame);
      this.#sent[index] = end;
    }
    const others = this.#waiting.filter((frame) => frame.channel !== channel);
    for (const frame of this.#waiting) if (frame.channel === channel) this.#bytes -= sizeOf(frame);
    this.#waiting.splice(0, this.#waiting.length, ...others);
    this.push(end);
  }
}

/** Nearly: what counts is the line. */
function sizeOf(frame: Frame): number {
  return "line" in frame ? frame.line.length + 64 : 64;
}
