import { isHeld } from "./operations/operation-context.ts";
import { ensureEdgeRuns } from "./edge-container.ts";
import type { Host } from "./host.ts";
import { bringBack } from "./operations/upkeep/bring-back.ts";
import { isRouted, restoreRouting, retireOthers } from "./operations/upkeep/converge.ts";
import type { OperationRunner } from "./operations/operation-runner.ts";

const sweepEveryMs = 20_000;

/**
 * Looks after the host now and then: an edge that somebody removed is put back, one that does not serve what the
 * ledger has is told again, and what a clean-up could not finish (the engine was busy) is tried again. That is what
 * visitors feel at once and what costs no restart; `host status` tells of it. Everything else that differs waits for
 * an apply. The file `sweep` among the agent's holds stops it.
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
    if (isHeld(this.#host, "sweep")) return;
    try {
      if (await ensureEdgeRuns(this.#host)) this.#tell("the edge did not run; it was started");
    } catch (error) {
      this.#host.log.warn({ reason: String(error) }, "the edge could not be put back; it is tried again");
    }
    const idle = this.#host.parts.apps().filter((app) => !this.#underWay.has(app) && !this.#runner.isBusy(app));
    await Promise.all(idle.map((app) => this.#lookAfter(app)));
  }

  #tell(message: string, app?: string): void {
    this.#host.repairs.note(message, app);
    this.#host.log.warn({ ...(app !== undefined && { app }) }, message);
  }

  async #bringBack(app: string): Promise<void> {
    if (!this.#host.standingDown.has(app)) return;
    await bringBack(this.#host, app);
    this.#tell("what had made way for a release that failed was started again", app);
  }

  async #lookAfter(app: string): Promise<void> {
    this.#underWay.add(app);
    try {
      if (this.#host.standingDown.has(app)) await this.#runner.inTurn(app, () => this.#bringBack(app));
      if (!(await isRouted(this.#host, app))) {
        // In turn: an operation that began meanwhile is not to be taken back half-way.
        await this.#runner.inTurn(app, async () => {
          await restoreRouting(this.#host, app);
          this.#tell("the edge did not serve the current deployment as it should; it was told again", app);
        });
      }
      await retireOthers(this.#host, app);
      await this.#host.records.keep(app);
    } catch (error) {
      this.#host.log.warn({ app, reason: String(error) }, "the app could not be looked after; it is tried again");
    } finally {
      this.#underWay.delete(app);
    }
  }
}
