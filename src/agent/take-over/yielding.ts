import { IkomaError } from "../../core/errors.ts";

/**
 * An agent's side of its replacement. Once it has yielded to a successor, what would change the host waits: either
 * this agent ends, and the callers turn to the next one with the same keys, or the successor goes away, and this one
 * goes on.
 */
export class Yielding {
  readonly #isBusy: () => string | undefined;
  readonly #successors = new Set<object>();
  #waiting: (() => void)[] = [];

  /** `isBusy` tells what is under way, for people, or undefined. */
  constructor(isBusy: () => string | undefined) {
    this.#isBusy = isBusy;
  }

  /** Throws DEPLOY_IN_PROGRESS, with what is under way, while something is. */
  yieldTo(successor: object): void {
    const busy = this.#isBusy();
    if (busy !== undefined) throw new IkomaError("DEPLOY_IN_PROGRESS", busy);
    this.#successors.add(successor);
  }

  /** The successor's connection has ended. */
  forget(successor: object): void {
    this.#successors.delete(successor);
    if (this.#successors.size > 0) return;
    for (const goOn of this.#waiting.splice(0)) goOn();
  }

  /** Resolves at once unless the agent has yielded. */
  turn(): Promise<void> {
    if (this.#successors.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
