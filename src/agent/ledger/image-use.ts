import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";

/** Which images the agent brought onto the host, and for which app: only those does it ever remove. */
export class ImageUse {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  add(app: string, reference: string): void {
    this.#database.prepare("INSERT OR IGNORE INTO images VALUES (?, ?)").run(reference, app);
  }

  of(app: string): string[] {
    const rows = this.#database.prepare("SELECT reference FROM images WHERE app = ?").all(app);
    return rows.map((each) => z.object({ reference: z.string() }).parse(each).reference);
  }

  /** Whether it was the agent, for any app, that brought the image here. */
  knows(reference: string): boolean {
    return this.#database.prepare("SELECT 1 FROM images WHERE reference = ?").get(reference) !== undefined;
  }

  /** Forgets the app's use; true where no other app uses the image. */
  drop(app: string, reference: string): boolean {
    this.#database.prepare("DELETE FROM images WHERE app = ? AND reference = ?").run(app, reference);
    return this.#database.prepare("SELECT 1 FROM images WHERE reference = ?").get(reference) === undefined;
  }
}
