import type { Repair } from "./protocol/views.ts";

const kept = 20;

/** What the agent put right by itself since it was started, the newest last: `ikoma host status` shows it. */
export class Repairs {
  readonly #all: Repair[] = [];

  /** `app` is undefined where it concerns the whole host. */
  note(message: string, app?: string): void {
    this.#all.push({ atMs: Date.now(), message, ...(app !== undefined && { app }) });
    this.#all.splice(0, this.#all.length - kept);
  }

  get all(): readonly Repair[] {
    return this.#all;
  }
}
