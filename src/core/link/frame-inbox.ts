import type { Frame, Frames } from "./link-protocol.ts";

/** Frames as they come in, perhaps more than once: gives each once. */
export class FrameInbox {
  #received = 0;

  /** Number of the last frame that came in. */
  get received(): number {
    return this.#received;
  }

  /** The frames that are new; undefined where some are missing before them, so that nothing can be made of them. */
  accept({ first, frames }: Frames): Frame[] | undefined {
    if (first > this.#received + 1) return undefined;
    const fresh = frames.slice(this.#received + 1 - first);
    this.#received += fresh.length;
    return fresh;
  }
}
