/** Runs tasks one after another, in the order they came. A task that fails does not stop the ones behind it. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Waits for its turn, then runs `task`; settles as `task` does. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(task, task);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}
