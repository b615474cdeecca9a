import { ensureEdgeRuns } from "./edge-container.ts";
import type { Host } from "./host.ts";
import { isRouted, restoreRouting, retireOthers } from "./operations/converge.ts";
import type { OperationRunner } from "./operations/operation-runner.ts";

const sweepEveryMs = 20_000;

/**
 * Looks after the host now and then: an edge that somebody removed is put back, one that does not serve what the
 * ledger has is told again, and what a clean-up could not finish (the engine was busy) is tried again.
 */
export function startSweep(host: Host, runner: OperationRunner): void {
  const sweep = new Sweep(host, runner);
  const timer = setInterval(() => {
    void sweep.once();
  }, sweepEveryMs);
  timer.unref();
}

/** One look after another; an app whose last one goes on (a long drain) is left out, and holds up no other. */
export class Sweep {
  readonly #host: Host;
  readonly #runner: OperationRunner;
  readonly #underWay = new Set<string>();

  constructor(host: Host, runner: OperationRunner) {
    this.#host = host;
    this.#runner = runner;
  }

  /** Never throws; resolves when all that this look began has ended. */
  async once(): Promise<void> {
    try {
      await ensureEdgeRuns(this.#host);
    } catch (error) {
      this.#host.log.warn({ reason: String(error) }, "the edge could not be put back; it is tried again");
    }
    const idle = this.#host.parts.apps().filter((app) => !this.#underWay.has(app) && !this.#runner.isBusy(app));
    await Promise.all(idle.map((app) => this.#lookAfter(app)));
  }

  async #lookAfter(app: string): Promise<void> {
    this.#underWay.add(app);
    try {
      if (!(await isRouted(this.#host, app))) {
        // In turn: an operation that began meanwhile is not to be taken back half-way.
        await this.#runner.inTurn(app, () => restoreRouting(this.#host, app));
      }
      await retireOthers(this.#host, app);
    } catch (error) {
      this.#host.log.warn({ app, reason: String(error) }, "the app could not be looked after; it is tried again");
    } finally {
      this.#underWay.delete(app);
    }
  }
}
