/** Long enough that a deploy's next operation has come. */
const quietMs = 300;

/**
 * Gives back the memory of what has ended, once nothing has been under way for a moment: V8 itself lets garbage grow to
 * the size of what is in use before it looks again, and on a small machine that is the apps' memory. It takes some 20 ms
 * when nobody waits. Without `--expose-gc` it does nothing.
 */
export class IdleMemory {
  #timer: NodeJS.Timeout | undefined;

  /** Something has ended; `isIdle` is asked when the moment is over. */
  endedOne(isIdle: () => boolean): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // In a task of its own, since what still stands on the stack keeps more than it needs. The flavour "last-resort"
      // gives back 8 MiB more, compiled functions among them: each deploy then takes 5-15 % longer.
      if (isIdle()) void globalThis.gc?.({ type: "major", execution: "async" });
    }, quietMs).unref();
  }
}
