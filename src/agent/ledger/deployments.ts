import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import type { EdgeServer } from "../edge/edge.ts";
import { operations } from "../protocol/operations.ts";
import type { Deployment } from "../protocol/views.ts";
import { transaction } from "./database.ts";
import { FoundDeployments } from "./found-deployments.ts";
import type { Vault } from "./vault.ts";
import { reasonOfWithdrawal, WithdrawnList } from "./withdrawn-list.ts";

const releaseInput = operations["release.apply"].input;
/** What `release.apply` was given. */
export type ReleaseInput = z.infer<typeof releaseInput>;

const row = z.object({
  app: z.string(),
  number: z.number(),
  version: z.string(),
  bundle: z.string(),
  digest: z.string(),
  status: z.enum(["started", "current", "good", "failed", "pruned"]),
  started_ms: z.number(),
  ended_ms: z.number().nullable(),
  note: z.string().nullable(),
  rollback_to: z.number().nullable(),
  withdrawn_reason: z.string().nullable(),
  by: z.string(),
  subnet: z.string().nullable(),
  servers: z.string(),
});
type Row = z.infer<typeof row>;

const servers = z.array(
  z.strictObject({
    name: z.string(),
    service: z.string(),
    address: z.string(),
    port: z.number(),
    maxConnections: z.number().optional(),
  }),
);

/** A deployment with what the agent alone knows of it. */
export interface LedgerDeployment extends Deployment {
  subnet: string | undefined;
  servers: EdgeServer[];
}

/** What was deployed in which order and how it ended: the truth about "current" and "last good". */
export class Deployments {
  /** What must not come back by itself. */
  readonly withdrawn: WithdrawnList;
  /** For a ledger that is being rebuilt. */
  readonly found: FoundDeployments;
  readonly #database: DatabaseSync;
  readonly #vault: Vault;

  constructor(database: DatabaseSync, vault: Vault) {
    this.withdrawn = new WithdrawnList(database);
    this.found = new FoundDeployments(database, vault);
    this.#database = database;
    this.#vault = vault;
  }

  /** Enters a new deployment under the app's next number. */
  begin(input: ReleaseInput, digest: string, by: string): LedgerDeployment {
    const { app, version, bundle } = input.spec;
    const next = this.#database
      .prepare("SELECT COALESCE(MAX(number), 0) + 1 AS next FROM deployments WHERE app = ?")
      .get(app);
    const number = z.object({ next: z.number() }).parse(next).next;
    this.#database
      .prepare(
        "INSERT INTO deployments (app, number, version, bundle, digest, status, started_ms, note, rollback_to, by, sealed) VALUES (?, ?, ?, ?, ?, 'started', ?, ?, ?, ?, ?)",
      )
      .run(
        ...[app, number, version, bundle, digest, Date.now()],
        ...[input.note ?? null, input.rollbackTo ?? null, by, this.#vault.seal(input)],
      );
    return this.require(app, number);
  }

  /** Keeps where the deployment's containers are, so that the edge can be rendered without asking the engine. */
  place(app: string, number: number, subnet: string, placed: EdgeServer[]): void {
    this.#database
      .prepare("UPDATE deployments SET subnet = ?, servers = ? WHERE app = ? AND number = ?")
      .run(subnet, JSON.stringify(placed), app, number);
  }

  /**
   * The switch, as far as the ledger goes: one transaction makes this deployment the current one, takes it off the
   * withdrawn list and, if it is a rollback, puts onto that whatever it went back past.
   */
  makeCurrent(app: string, number: number): void {
    transaction(this.#database, () => {
      const now = Date.now();
      this.found.end(app);
      this.#database.prepare("UPDATE deployments SET status = 'good' WHERE app = ? AND status = 'current'").run(app);
      this.#database
        .prepare("UPDATE deployments SET status = 'current', ended_ms = ? WHERE app = ? AND number = ?")
        .run(now, app, number);
      const serving = this.require(app, number);
      this.withdrawn.lift(serving);
      for (const each of this.#passedBy(serving))
        this.withdrawn.add(
          each,
          `it was rolled back from: #${number} went back to #${serving.rollbackTo ?? number}`,
          serving,
        );
    });
  }

  /** Ends a deployment that never came to serve. */
  fail(app: string, number: number, why: string): void {
    this.#database
      .prepare(
        "UPDATE deployments SET status = 'failed', ended_ms = ?, note = ? WHERE app = ? AND number = ? AND status = 'started'",
      )
      .run(Date.now(), why, app, number);
  }

  /** Ends a deployment that served and was taken back by the agent: it goes onto the withdrawn list. */
  takeBack(app: string, number: number, why: string): void {
    transaction(this.#database, () => {
      this.fail(app, number, why);
      this.withdrawn.add(this.require(app, number), why, this.current(app));
    });
  }

  /** Says something about a deployment that the history should show. */
  remark(app: string, number: number, note: string): void {
    this.#database.prepare("UPDATE deployments SET note = ? WHERE app = ? AND number = ?").run(note, app, number);
  }

  /** Ends every deployment that a restart of the agent cut off before its operation knew of it. */
  failStarted(why: string): void {
    this.#database
      .prepare("UPDATE deployments SET status = 'failed', ended_ms = ?, note = ? WHERE status = 'started'")
      .run(Date.now(), why);
  }

  /** Keeps what the release was asked for anew with (source, number to keep), where the release itself is the same. */
  renew(app: string, number: number, input: ReleaseInput): void {
    this.#database
      .prepare("UPDATE deployments SET sealed = ? WHERE app = ? AND number = ?")
      .run(this.#vault.seal(input), app, number);
  }

  /** Forgets the current deployment's serving state when an app is removed; its entry stays as good. */
  retireCurrent(app: string): void {
    this.found.end(app);
    this.#database.prepare("UPDATE deployments SET status = 'good' WHERE app = ? AND status = 'current'").run(app);
  }

  /**
   * Marks good deployments beyond the newest `keep` as no longer available, and gives them. What they and the
   * failed ones were given is forgotten, secrets included.
   */
  prune(app: string, keep: number): LedgerDeployment[] {
    return transaction(this.#database, () => {
      const beyond = this.#select(
        "WHERE app = ? AND status = 'good' ORDER BY number DESC LIMIT -1 OFFSET ?",
        app,
        keep,
      );
      const mark = this.#database.prepare(
        "UPDATE deployments SET status = 'pruned', sealed = x'' WHERE app = ? AND number = ?",
      );
      for (const each of beyond) mark.run(app, each.number);
      this.#database.prepare("UPDATE deployments SET sealed = x'' WHERE app = ? AND status = 'failed'").run(app);
      return beyond;
    });
  }

  /** Forgets everything about an app; its numbers begin anew. Gives how many there were. */
  forget(app: string): number {
    this.withdrawn.forget(app);
    return Number(this.#database.prepare("DELETE FROM deployments WHERE app = ?").run(app).changes);
  }

  /** Ends the keeping of a good deployment that nothing is to be rolled back to any more; see {@link prune}. */
  giveUp(app: string, number: number): void {
    this.#database
      .prepare(
        "UPDATE deployments SET status = 'pruned', sealed = x'' WHERE app = ? AND number = ? AND status = 'good'",
      )
      .run(app, number);
  }

  current(app: string): LedgerDeployment | undefined {
    return this.#select("WHERE app = ? AND status = 'current'", app)[0];
  }

  find(app: string, number: number): LedgerDeployment | undefined {
    return this.#select("WHERE app = ? AND number = ?", app, number)[0];
  }

  require(app: string, number: number): LedgerDeployment {
    const found = this.find(app, number);
    if (found === undefined) throw new Error(`deployment ${app} #${number} is not in the ledger`);
    return found;
  }

  /** Those whose images must stay on the host: serving, on the way, or to be rolled back to. */
  kept(app: string): LedgerDeployment[] {
    return this.#select("WHERE app = ? AND status IN ('started', 'current', 'good')", app);
  }

  count(app: string): number {
    const found = this.#database.prepare("SELECT COUNT(*) AS count FROM deployments WHERE app = ?").get(app);
    return z.object({ count: z.number() }).parse(found).count;
  }

  /** Newest first. */
  history(app: string, limit: number): LedgerDeployment[] {
    return this.#select("WHERE app = ? ORDER BY number DESC LIMIT ?", app, limit);
  }

  /** What a deployment was given, secrets included; undefined once it was pruned. */
  input(app: string, number: number): ReleaseInput | undefined {
    const found = this.#database
      .prepare("SELECT sealed FROM deployments WHERE app = ? AND number = ?")
      .get(app, number);
    const sealed = found?.["sealed"];
    if (!(sealed instanceof Uint8Array) || sealed.length === 0) return undefined;
    return releaseInput.parse(this.#vault.unseal(sealed));
  }

  /**
   * The secrets that a deployment had, by name. Where it is no longer kept, those of one that was made with them.
   * Undefined where nobody has them.
   */
  secretsOf(app: string, number: number): Readonly<Record<string, string>> | undefined {
    const own = this.input(app, number)?.secrets;
    if (own !== undefined) return own;
    const heirs = this.kept(app).map((each) => this.input(app, each.number));
    return heirs.findLast((each) => each?.secretsOf === number)?.secrets;
  }

  /** What came to serve after the deployment that a rollback went back to. */
  #passedBy(rollback: LedgerDeployment): LedgerDeployment[] {
    if (rollback.rollbackTo === undefined) return [];
    const backTo = this.#originOf(rollback).number;
    const served = this.#select("WHERE app = ? AND status IN ('good', 'pruned') ORDER BY number", rollback.app);
    return served.filter((each) => this.#originOf(each).number > backTo);
  }

  /** What a deployment is a rollback to, through any number of rollbacks; itself where it is none. */
  #originOf(deployment: LedgerDeployment): LedgerDeployment {
    const { app, number, rollbackTo } = deployment;
    const origin = rollbackTo === undefined || rollbackTo >= number ? undefined : this.find(app, rollbackTo);
    return origin === undefined ? deployment : this.#originOf(origin);
  }

  #select(where: string, ...values: (string | number)[]): LedgerDeployment[] {
    const columns = `*, ${reasonOfWithdrawal} AS withdrawn_reason`;
    const rows = this.#database.prepare(`SELECT ${columns} FROM deployments ${where}`).all(...values);
    return rows.map((each) => fromRow(row.parse(each)));
  }
}

/** The deployment as callers may see it. */
export function publicView(deployment: LedgerDeployment): Deployment {
  const { app, number, version, bundle, digest, status, startedAtMs, by } = deployment;
  const { endedAtMs, note, rollbackTo, withdrawn } = deployment;
  return {
    ...{ app, number, version, bundle, digest, status, startedAtMs, by },
    ...(endedAtMs === undefined ? {} : { endedAtMs }),
    ...(note === undefined ? {} : { note }),
    ...(rollbackTo === undefined ? {} : { rollbackTo }),
    ...(withdrawn === undefined ? {} : { withdrawn }),
  };
}

function fromRow(found: Row): LedgerDeployment {
  return {
    app: found.app,
    number: found.number,
    version: found.version,
    bundle: found.bundle,
    digest: found.digest,
    status: found.status,
    startedAtMs: found.started_ms,
    ...(found.ended_ms === null ? {} : { endedAtMs: found.ended_ms }),
    ...(found.note === null ? {} : { note: found.note }),
    ...(found.rollback_to === null ? {} : { rollbackTo: found.rollback_to }),
    ...(found.withdrawn_reason === null ? {} : { withdrawn: found.withdrawn_reason }),
    by: found.by,
    subnet: found.subnet ?? undefined,
    servers: servers.parse(JSON.parse(found.servers)),
  };
}
