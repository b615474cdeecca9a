/** Tells those who read a host's events that there are new ones. */
export class EventFeed {
  readonly #readers = new Map<string, Set<() => void>>();

  added(host: string): void {
    for (const tell of this.#readers.get(host) ?? []) tell();
  }

  /** Resolves at the next addition, or when the time is over or nobody waits any more. */
  async next(host: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const done = (): void => {
      resolve(undefined);
    };
    const readers = this.#readers.get(host) ?? new Set();
    this.#readers.set(host, readers.add(done));
    const timer = setTimeout(done, timeoutMs);
    signal.addEventListener("abort", done);
    await promise;
    clearTimeout(timer);
    signal.removeEventListener("abort", done);
    readers.delete(done);
    if (readers.size === 0) this.#readers.delete(host);
  }
}
