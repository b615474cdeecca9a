import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import { transaction } from "./database.ts";

const prefixBits = 26;
const subnetSize = 2 ** (32 - prefixBits);
const mostSubnets = 1024;

/**
 * Gives out /26 networks of the host's pool. The one that was released longest ago comes first, so an
 * address is quiet for as long as possible before another release gets it: a late packet, or an edge
 * that was not told yet, reaches nobody rather than the wrong app.
 */
export class Subnets {
  readonly #database: DatabaseSync;
  readonly #pool: ReadonlySet<string>;
  readonly #routes: () => readonly string[];

  /** @param routes subnets that the host has a route to; those inside of the pool are somebody else's */
  constructor(database: DatabaseSync, pool: string, routes: () => readonly string[] = () => []) {
    this.#database = database;
    // One to all of the pool and more (`10.0.0.0/8`) would leave nothing, and the narrower route wins over it.
    this.#routes = () => routes().filter((route) => !contains(route, pool));
    const pooled = subnetsOf(pool);
    this.#pool = new Set(pooled);
    transaction(database, () => {
      // The pool may be another one than last time; what is held of the old one is not given out again.
      database
        .prepare("DELETE FROM subnets WHERE owner IS NULL AND subnet NOT IN (SELECT value FROM json_each(?))")
        .run(JSON.stringify(pooled));
      const add = database.prepare("INSERT OR IGNORE INTO subnets (subnet) VALUES (?)");
      for (const each of pooled) add.run(each);
    });
  }

  /** A subnet for `owner` that overlaps none of `inUse`, nor where the host has a route to; the one it has already, if it has one. Throws NETWORKS_EXHAUSTED. */
  allocate(owner: string, inUse: readonly string[]): string {
    const held = this.#database.prepare("SELECT subnet FROM subnets WHERE owner = ?").get(owner);
    if (held !== undefined) return subnetOf(held);
    const free = this.#database
      .prepare("SELECT subnet FROM subnets WHERE owner IS NULL ORDER BY released_ms, rowid")
      .all();
    const taken = [...inUse, ...this.#routes()];
    const chosen = free
      .map(subnetOf)
      .find((each) => this.#pool.has(each) && !taken.some((other) => overlaps(each, other)));
    if (chosen === undefined)
      throw new IkomaError("NETWORKS_EXHAUSTED", "Every network of this host's pool is in use.");
    this.#database.prepare("UPDATE subnets SET owner = ? WHERE subnet = ?").run(owner, chosen);
    return chosen;
  }

  /**
   * Enters which subnets the networks of the host have already. Those below the last of them may have been in use a
   * moment ago, so they are given out last.
   */
  hold(owners: ReadonlyMap<string, string>): void {
    const hold = this.#database.prepare(
      "INSERT INTO subnets (subnet, owner) VALUES (?, ?) ON CONFLICT (subnet) DO UPDATE SET owner = excluded.owner",
    );
    for (const [owner, subnet] of owners) hold.run(subnet, owner);
    this.#database
      .prepare(
        "UPDATE subnets SET released_ms = ? WHERE owner IS NULL AND rowid < (SELECT MAX(rowid) FROM subnets WHERE owner IS NOT NULL)",
      )
      .run(Date.now());
  }

  release(owner: string): void {
    this.#database.prepare("UPDATE subnets SET owner = NULL, released_ms = ? WHERE owner = ?").run(Date.now(), owner);
  }

  /** Owners that hold a subnet, for the clean-up of what nothing uses. */
  owners(): string[] {
    const rows = this.#database.prepare("SELECT owner FROM subnets WHERE owner IS NOT NULL").all();
    return rows.map((each) => z.object({ owner: z.string() }).parse(each).owner);
  }
}

/** The nth usable address of a subnet; 1 is the gateway. */
export function addressIn(subnet: string, index: number): string {
  if (index < 1 || index >= subnetSize - 1)
    throw new IkomaError("NETWORKS_EXHAUSTED", `A release has at most ${subnetSize - 3} containers.`);
  return format(base(subnet) + index);
}

function subnetsOf(pool: string): string[] {
  const bits = Number(pool.split("/")[1]);
  if (bits > prefixBits)
    throw new IkomaError(
      "CONFIG_INVALID",
      `The network pool ${pool} is too small; it needs a /${prefixBits} at least.`,
    );
  const count = Math.min(mostSubnets, 2 ** (prefixBits - bits));
  const first = base(pool) - (base(pool) % sizeOf(pool));
  return Array.from({ length: count }, (_, index) => `${format(first + index * subnetSize)}/${prefixBits}`);
}

function overlaps(a: string, b: string): boolean {
  if (!b.includes(".")) return false; // IPv6
  return base(a) < base(b) + sizeOf(b) && base(b) < base(a) + sizeOf(a);
}

/** Whether all of `part` is in `whole`. */
function contains(whole: string, part: string): boolean {
  const first = base(part) - (base(part) % sizeOf(part));
  return base(whole) <= first && first + sizeOf(part) <= base(whole) + sizeOf(whole);
}

function sizeOf(cidr: string): number {
  return 2 ** (32 - Number(cidr.split("/")[1] ?? 32));
}

function base(cidr: string): number {
  const [address = ""] = cidr.split("/");
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

function format(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

function subnetOf(found: unknown): string {
  return z.object({ subnet: z.string() }).parse(found).subnet;
}
