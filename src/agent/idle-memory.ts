/** Long enough that a deploy's next operation has come. */
const quietMs = 300;

/**
 * Gives back the memory of what has ended, once nothing has been under way for a moment: V8 itself lets garbage grow to
 * the size of what is in use before it looks again, and on a small machine that is the apps' memory. It takes some 20 ms
 * when nobody waits. Without `--expose-gc` it does nothing.
 */
export class IdleMemory {
  readonly #isIdle: () => boolean;
  #timer: NodeJS.Timeout | undefined;

  /** @param isIdle asked when the moment is over */
  constructor(isIdle: () => boolean) {
    this.#isIdle = isIdle;
  }

  /** Something has ended. */
  endedOne(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // In a task of its own, since what still stands on the stack keeps more than it needs. The flavour "last-resort"
      // gives back 8 MiB more, compiled functions among them: each deploy then takes 5-15 % longer.
      if (this.#isIdle()) void globalThis.gc?.({ type: "major", execution: "async" });
    }, quietMs).unref();
  }
}
