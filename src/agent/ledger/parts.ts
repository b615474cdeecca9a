import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import type { Part } from "../protocol/operations.ts";
import { transaction } from "./database.ts";
import type { Vault } from "./vault.ts";

/** What was last accepted for the long-lived parts of an app, and how often each part was changed. */
export class Parts {
  readonly #database: DatabaseSync;
  readonly #vault: Vault;

  constructor(database: DatabaseSync, vault: Vault) {
    this.#database = database;
    this.#vault = vault;
  }

  /** 0 for a part that nothing was ever done to. */
  generation(app: string, part: Part): number {
    const found = this.#database
      .prepare("SELECT generation FROM generations WHERE app = ? AND part = ?")
      .get(app, part);
    return found === undefined ? 0 : z.object({ generation: z.number() }).parse(found).generation;
  }

  /** Counts one more change, good or failed, and gives the new generation. */
  advance(app: string, part: Part): number {
    this.#database
      .prepare(
        "INSERT INTO generations VALUES (?, ?, 1) ON CONFLICT (app, part) DO UPDATE SET generation = generation + 1",
      )
      .run(app, part);
    return this.generation(app, part);
  }

  /** Counts on from at least `generation`. */
  advanceTo(app: string, part: Part, generation: number): void {
    this.#database
      .prepare(
        "INSERT INTO generations VALUES (?, ?, ?) ON CONFLICT (app, part) DO UPDATE SET generation = MAX(generation, excluded.generation)",
      )
      .run(app, part, generation);
  }

  set(app: string, part: Part, value: unknown): void {
    this.#database
      .prepare("INSERT INTO parts VALUES (?, ?, ?) ON CONFLICT (app, part) DO UPDATE SET sealed = excluded.sealed")
      .run(app, part, this.#vault.seal(value));
  }

  has(app: string, part: Part): boolean {
    return this.#database.prepare("SELECT 1 FROM parts WHERE app = ? AND part = ?").get(app, part) !== undefined;
  }

  get<S extends z.ZodType>(app: string, part: Part, schema: S): z.infer<S> | undefined {
    const found = this.#database.prepare("SELECT sealed FROM parts WHERE app = ? AND part = ?").get(app, part);
    const sealed = found?.["sealed"];
    return sealed instanceof Uint8Array ? schema.parse(this.#vault.unseal(sealed)) : undefined;
  }

  remove(app: string, part: Part): void {
    this.#database.prepare("DELETE FROM parts WHERE app = ? AND part = ?").run(app, part);
  }

  /** Takes back all that `action` changed in the ledger if it throws. */
  atOnce<T>(action: () => T): T {
    return transaction(this.#database, action);
  }

  /** Every app that has a part on this host, or a deployment that serves, comes or has not been cleaned away. */
  apps(): string[] {
    const rows = this.#database
      .prepare(
        "SELECT app FROM parts UNION SELECT app FROM deployments WHERE status IN ('current', 'started', 'good') ORDER BY app",
      )
      .all();
    return rows.map((each) => z.object({ app: z.string() }).parse(each).app);
  }
}
