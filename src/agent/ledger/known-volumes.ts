import type { DatabaseSync } from "node:sqlite";

/** Volumes that have been on this host for an app: one of these that is missing has taken its data along. */
export class KnownVolumes {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  add(app: string, name: string): void {
    this.#database.prepare("INSERT OR IGNORE INTO volumes VALUES (?, ?)").run(name, app);
  }

  /** After a purge that named it: one of this name would be a new one. */
  forget(name: string): void {
    this.#database.prepare("DELETE FROM volumes WHERE name = ?").run(name);
  }

  has(name: string): boolean {
    return this.#database.prepare("SELECT 1 FROM volumes WHERE name = ?").get(name) !== undefined;
  }
}
