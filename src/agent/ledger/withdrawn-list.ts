import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";

/** What identifies a deployment for the list: its bundle, and the bundle with its configuration. */
interface Deployed {
  app: string;
  number: number;
  bundle: string;
  digest: string;
}

/** An entry of the list. */
export interface Withdrawal {
  /** The deployment that brought the entry about. */
  number: number;
  reason: string;
  /** Unix time, milliseconds. */
  atMs: number;
}

/** Of a row of `deployments`: why it is on the list, or null. The entry for a whole bundle has no digest and goes first. */
export const reasonOfWithdrawal = `(
  SELECT reason FROM withdrawn AS entry
  WHERE entry.app = deployments.app AND entry.bundle = deployments.bundle AND entry.digest IN ('', deployments.digest)
  ORDER BY entry.digest LIMIT 1)`;

/**
 * Bundles of an app that served and were taken back, by the agent or by a rollback: an unattended run that still has
 * one pinned must not bring it back. While the same bundle serves with another configuration, the entry is for that
 * one deployment alone (docs/adr/0005).
 */
export class WithdrawnList {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** `serving`: what serves instead. */
  add(deployed: Deployed, reason: string, serving: Deployed | undefined): void {
    const { app, number, bundle, digest } = deployed;
    const isBundleGood = serving?.bundle === bundle;
    if (isBundleGood && serving.digest === digest) return;
    this.#database
      .prepare(
        "INSERT OR REPLACE INTO withdrawn (app, bundle, digest, number, reason, at_ms) VALUES (?, ?, ?, ?, ?, ?)",
      )
      .run(app, bundle, isBundleGood ? digest : "", number, reason, Date.now());
  }

  /** Why this must not be deployed again; without `digest` only what holds for the whole bundle. */
  find(app: string, bundle: string, digest = ""): Withdrawal | undefined {
    const found = this.#database
      .prepare(
        "SELECT number, reason, at_ms AS atMs FROM withdrawn WHERE app = ? AND bundle = ? AND digest IN ('', ?) ORDER BY digest",
      )
      .get(app, bundle, digest);
    return found === undefined ? undefined : withdrawal.parse(found);
  }

  /** Takes everything of an app off the list. */
  forget(app: string): void {
    this.#database.prepare("DELETE FROM withdrawn WHERE app = ?").run(app);
  }

  /** What serves is not on the list. */
  lift({ app, bundle, digest }: Deployed): void {
    this.#database
      .prepare("DELETE FROM withdrawn WHERE app = ? AND bundle = ? AND digest IN ('', ?)")
      .run(app, bundle, digest);
  }
}

const withdrawal = z.object({ number: z.number(), reason: z.string(), atMs: z.number() });
