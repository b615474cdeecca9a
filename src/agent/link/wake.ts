/** Something to do may have come: one waits, others wake it. */
export class Wake {
  #resolve: (() => void) | undefined;
  #isSet = false;

  set(): void {
    this.#isSet = true;
    this.#resolve?.();
  }

  /** Resolves at once where it was set since the last time, or when the signal is aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    if (!this.#isSet && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const go = (): void => {
        resolve(undefined);
      };
      this.#resolve = go;
      signal.addEventListener("abort", go);
      await promise;
      signal.removeEventListener("abort", go);
      this.#resolve = undefined;
    }
    this.#isSet = false;
  }
}
