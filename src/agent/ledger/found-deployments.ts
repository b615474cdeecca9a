import type { DatabaseSync } from "node:sqlite";
import type { EdgeServer } from "../edge/edge.ts";
import type { ReleaseInput } from "./deployments.ts";
import type { Vault } from "./vault.ts";

/** Stands for the digest of a deployment that was found running, and whose release nobody knows. */
export const unknownDigest = "unknown";

/** What the history has where nothing tells. */
export const unknownRelease = { version: "unknown", bundle: `sha256:${"0".repeat(64)}`, by: "unknown" } as const;

/** What cannot be told from what runs. */
export const unknownOfRelease =
  "the release's environment, files and checks, what could be rolled back to, what was withdrawn";

/** What is said of an app whose release was made up, wherever its state is told. */
export const rebuiltNotice = `rebuilt from what runs, because the agent's ledger was lost; not known any more: ${unknownOfRelease}; the next deploy of the same release adopts it`;

/** A deployment that serves, as far as it can be told from what runs. */
export interface FoundDeployment {
  app: string;
  number: number;
  /** Made up from its containers, for a ledger that does not have what it was given. */
  input: ReleaseInput;
  /** What the history then says of it. */
  note: string;
  /** Empty where the edge has none. */
  servers: readonly EdgeServer[];
  subnet: string | undefined;
}

/** Deployments of a ledger that was lost: entered by what is left of them on the host (docs/adr/0011). */
export class FoundDeployments {
  readonly #database: DatabaseSync;
  readonly #vault: Vault;

  constructor(database: DatabaseSync, vault: Vault) {
    this.#database = database;
    this.#vault = vault;
  }

  /** Makes this the current one; gives whether the ledger has what it was given, so that it need not be made up. */
  reinstate({ app, number, input, note, servers, subnet }: FoundDeployment): boolean {
    const isKnown =
      this.#database
        .prepare("SELECT 1 FROM deployments WHERE app = ? AND number = ? AND length(sealed) > 0")
        .get(app, number) !== undefined;
    if (!isKnown) this.#makeUp(app, number, input, note);
    const run = (change: string, ...values: (string | number)[]): void => {
      this.#database.prepare(`UPDATE deployments SET ${change}`).run(...values);
    };
    run("status = 'good' WHERE app = ? AND status = 'current' AND number <> ?", app, number);
    run(
      "status = 'current', ended_ms = COALESCE(ended_ms, ?) WHERE app = ? AND number = ?",
      ...[Date.now(), app, number],
    );
    if (servers.length > 0) run("servers = ? WHERE app = ? AND number = ?", ...[JSON.stringify(servers), app, number]);
    if (subnet !== undefined) run("subnet = ? WHERE app = ? AND number = ?", ...[subnet, app, number]);
    return isKnown;
  }

  /** Enters one that does not serve and of which something is left; one that the ledger knows stays as it is. */
  enterLeftover(app: string, number: number, why: string): void {
    const { version, bundle, by } = unknownRelease;
    const now = Date.now();
    this.#database
      .prepare(
        "INSERT OR IGNORE INTO deployments (app, number, version, bundle, digest, status, started_ms, ended_ms, note, by, sealed) VALUES (?, ?, ?, ?, ?, 'failed', ?, ?, ?, ?, x'')",
      )
      .run(app, number, version, bundle, unknownDigest, now, now, why, by);
  }

  /** Gives one that was made up the release that it turned out to be. */
  adopt(app: string, number: number, input: ReleaseInput, digest: string, by: string): void {
    const { version, bundle } = input.spec;
    this.#database
      .prepare(
        "UPDATE deployments SET version = ?, bundle = ?, digest = ?, by = ?, sealed = ? WHERE app = ? AND number = ?",
      )
      .run(version, bundle, digest, by, this.#vault.seal(input), app, number);
  }

  /** Nobody knows what it would be to go back to one that was made up: it is not kept once another serves. */
  end(app: string): void {
    this.#database
      .prepare("UPDATE deployments SET status = 'pruned' WHERE app = ? AND status = 'current' AND digest = ?")
      .run(app, unknownDigest);
  }

  #makeUp(app: string, number: number, input: ReleaseInput, note: string): void {
    const { version, bundle } = input.spec;
    this.#database
      .prepare(
        `INSERT INTO deployments (app, number, version, bundle, digest, status, started_ms, note, by, sealed)
         VALUES (?, ?, ?, ?, ?, 'started', ?, ?, ?, ?)
         ON CONFLICT (app, number) DO UPDATE SET digest = excluded.digest, note = excluded.note, sealed = excluded.sealed`,
      )
      .run(app, number, version, bundle, unknownDigest, Date.now(), note, unknownRelease.by, this.#vault.seal(input));
  }
}
