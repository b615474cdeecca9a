import type { DatabaseSync } from "node:sqlite";

/** Volumes that have been on this host for an app: one of these that is missing has taken its data along. */
export class KnownVolumes {
  readonly #database: DatabaseSync;
  readonly #claims = new Map<string, string>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  add(app: string, name: string): void {
    this.#database.prepare("INSERT OR IGNORE INTO volumes VALUES (?, ?)").run(name, app);
  }

  /** The app is about to use it; known until the agent ends. */
  claim(app: string, name: string): void {
    this.#claims.set(name, app);
  }

  /** The app that was last about to use it. */
  claimedBy(name: string): string | undefined {
    return this.#claims.get(name);
  }

  /** After a purge that named it: one of this name would be a new one. */
  forget(name: string): void {
    this.#database.prepare("DELETE FROM volumes WHERE name = ?").run(name);
  }

  has(name: string): boolean {
    return this.#database.prepare("SELECT 1 FROM volumes WHERE name = ?").get(name) !== undefined;
  }
}
