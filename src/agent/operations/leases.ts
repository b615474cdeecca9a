import { IkomaError } from "../../core/errors.ts";
import type { Holder } from "../protocol/operations.ts";

interface Lease {
  holder: Holder;
  runningOperations: number;
  renewedAtMs: number;
}

const leaseMs = 10 * 60_000;

/**
 * Who is deploying an app. The first operation of a deploy takes the lease, each further one renews it,
 * and it ends with the release, with the holder's last connection (once nothing of it runs any more),
 * or after ten quiet minutes. So a killed CLI locks nobody out, and two deploys never interleave.
 */
export class Leases {
  readonly #leases = new Map<string, Lease>();
  readonly #connections = new Map<string, number>();
  readonly #now: () => number;

  /** `now`: Unix time in milliseconds. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Throws DEPLOY_IN_PROGRESS, naming who holds the app, while somebody else does. */
  take(app: string, holder: Holder): void {
    const held = this.#leases.get(app);
    if (held !== undefined && held.holder.id !== holder.id && !this.#isOver(held)) {
      const since = new Date(held.renewedAtMs).toISOString();
      throw new IkomaError("DEPLOY_IN_PROGRESS", `${app} is being deployed by ${held.holder.label} (active ${since}).`);
    }
    const runningOperations = held?.holder.id === holder.id ? held.runningOperations : 0;
    this.#leases.set(app, { holder, runningOperations: runningOperations + 1, renewedAtMs: this.#now() });
  }

  /** After an operation; `last` when it was the one that ends a deploy. */
  operationEnded(app: string, holder: Holder, last: boolean): void {
    const held = this.#leases.get(app);
    if (held?.holder.id !== holder.id) return;
    held.runningOperations -= 1;
    held.renewedAtMs = this.#now();
    if (held.runningOperations <= 0 && (last || !this.#connections.has(holder.id))) this.#leases.delete(app);
  }

  /** The apps that are being deployed, and by whom. */
  held(): { app: string; label: string }[] {
    const live = [...this.#leases].filter(([, lease]) => !this.#isOver(lease));
    return live.map(([app, { holder }]) => ({ app, label: holder.label }));
  }

  connected(holderId: string): void {
    this.#connections.set(holderId, (this.#connections.get(holderId) ?? 0) + 1);
  }

  disconnected(holderId: string): void {
    const left = (this.#connections.get(holderId) ?? 1) - 1;
    if (left > 0) {
      this.#connections.set(holderId, left);
      return;
    }
    this.#connections.delete(holderId);
    for (const [app, lease] of this.#leases) {
      if (lease.holder.id === holderId && lease.runningOperations <= 0) this.#leases.delete(app);
    }
  }

  #isOver(lease: Lease): boolean {
    if (lease.runningOperations > 0) return false;
    return !this.#connections.has(lease.holder.id) || this.#now() - lease.renewedAtMs > leaseMs;
  }
}
