/** How the runs of an app's schedule went since the agent was started. */
export interface RunRecord {
  readonly failures: number;
  readonly lastFailure?: { readonly atMs: number; readonly message: string };
}

/** Backups that the host takes by itself: what is under way, which a deploy breaks off, and what failed. */
export class ScheduledRuns {
  readonly #underWay = new Map<string, AbortController>();
  readonly #records = new Map<string, RunRecord>();

  /** The signal that a run has to heed; undefined while one of the app is under way. */
  begin(app: string): AbortSignal | undefined {
    if (this.#underWay.has(app)) return undefined;
    const control = new AbortController();
    this.#underWay.set(app, control);
    return control.signal;
  }

  /** Something that somebody waits for comes first: the run ends as soon as it can, and is caught up later. */
  breakOff(app: string): void {
    this.#underWay.get(app)?.abort(new Error("a deploy came first"));
  }

  succeeded(app: string): void {
    this.#records.delete(app);
  }

  failed(app: string, atMs: number, message: string): void {
    this.#records.set(app, { failures: this.recordOf(app).failures + 1, lastFailure: { atMs, message } });
  }

  ended(app: string): void {
    this.#underWay.delete(app);
  }

  recordOf(app: string): RunRecord {
    return this.#records.get(app) ?? { failures: 0 };
  }
}
