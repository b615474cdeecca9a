import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import { IkomaError, toIkomaError } from "../../core/errors.ts";
import { ensureEdgeRuns } from "../edge-container.ts";
import { edgeView } from "../edge-from-ledger.ts";
import { handshake } from "../handshake.ts";
import type { Host } from "../host.ts";
import type { AgentPaths } from "../settings.ts";
import { agentName, type AgentContainers } from "./agent-containers.ts";
import type { EdgeReplacement } from "./edge-replacement.ts";
import { copyLedger, removeLedger, restoreLedger } from "./ledger-copy.ts";
import { Predecessor } from "./predecessor.ts";

/** How far a take-over has come; whoever installs the agent reads it in the container's log. */
export type TakeOverPhase = "proving" | "waiting" | "taking over" | "done" | "failed";

/** A deploy may go on for this long before the upgrade gives up: longer than a lease lasts. */
const waitMs = 11 * 60_000;
const pollMs = 200;
/** From then on a successor that falls again and again gives way. */
const maxRestarts = 3;

/**
 * An agent takes the place of the one before it, or is the first: it proves itself while the other one works, waits
 * until nothing is under way there, ends it, and goes on with its ledger. Until it is {@link settle}d, everything
 * is put back on a failure. All of that is done on the host, so it does not matter whether whoever asked for it is
 * still there; and a container that is started again (crash, power loss) begins anew where it makes no difference.
 */
export class TakeOver {
  readonly #containers: AgentContainers;
  readonly #paths: AgentPaths;
  readonly #log: Logger;
  readonly #edge: EdgeReplacement;
  #isPlaceTaken: boolean;
  #isSettled = false;
  #goingBack: Promise<void> | undefined;
  #deadline: NodeJS.Timeout | undefined;

  constructor(containers: AgentContainers, edge: EdgeReplacement, paths: AgentPaths, log: Logger) {
    this.#containers = containers;
    this.#edge = edge;
    // By this container, before it was started anew.
    this.#isPlaceTaken = containers.self.Name === `/${agentName}`;
    this.#paths = paths;
    this.#log = log;
  }

  /**
   * Before anything is touched. `proof` throws what would keep this agent from working.
   *
   * @throws DEPLOY_IN_PROGRESS when something goes on for eleven minutes
   */
  async prepare(proof: () => Promise<void>): Promise<void> {
    if (this.#containers.self.RestartCount >= maxRestarts)
      throw new IkomaError("HOST_NOT_READY", `The new agent fell ${maxRestarts} times while it took over.`);
    // A copy says that an earlier attempt was cut off, and the ledger has to be restored first; but where an agent
    // works, it has gone on without it.
    if (this.#containers.before?.State.Running === true) removeLedger(this.#paths.ledgerBefore);
    const isAnew = existsSync(this.#paths.ledgerBefore);
    if (existsSync(this.#paths.database) && !isAnew) {
      this.#tell("proving", "proving the new agent on a copy of the ledger");
      await proof();
    }
    const yielded = isAnew ? undefined : await this.#askForTurn();
    this.#tell("taking over", "taking over");
    this.#isPlaceTaken = true;
    await this.#containers.replace();
    yielded?.close();
  }

  /** With the agent's lock, before the ledger is opened. */
  secureLedger(): void {
    const { database, ledgerBefore } = this.#paths;
    if (existsSync(ledgerBefore)) restoreLedger(ledgerBefore, database);
    if (existsSync(database)) copyLedger(database, ledgerBefore);
  }

  /** Calls `onLate` when this agent has not settled in time. */
  within(deadlineMs: number, onLate: (error: Error) => unknown): void {
    this.#deadline = setTimeout(() => {
      onLate(new IkomaError("HOST_NOT_READY", `The new agent did not come up within ${deadlineMs / 1000} s.`));
    }, deadlineMs);
  }

  /**
   * The edge in the version that is asked for, serving what the ledger says, and all that can be asked answers. Then
   * this agent is the one that works, and there is no way back.
   */
  async settle(host: Host): Promise<void> {
    await this.#edge.begin();
    await ensureEdgeRuns(host);
    await host.edge.ensure(() => edgeView(host));
    await handshake(host);
    clearTimeout(this.#deadline);
    if (this.#goingBack !== undefined) throw new Error("it came up while it was giving the place back");
    this.#isSettled = true;
    // Told before anything else can end this process: nobody is to take it for one that failed, and remove it.
    this.#tell("done", "the new agent works");
    await this.#containers.removeBefore();
    // Not sooner: while that one is there, a start of this one takes over anew, and may have to give the ledger back.
    removeLedger(this.#paths.ledgerBefore);
    void this.#edge.finish().catch((error: unknown) => {
      this.#log.warn({ reason: String(error) }, "the edge before could not be ended");
    });
  }

  /** Puts back what was, and says why; does nothing once settled. Nobody has the ledger open. */
  goBack(reason: unknown): Promise<void> {
    if (this.#isSettled) return Promise.resolve();
    this.#goingBack ??= this.#putBack(reason);
    return this.#goingBack;
  }

  async #putBack(reason: unknown): Promise<void> {
    const { code, message, hint } = toIkomaError(reason);
    if (this.#isPlaceTaken) {
      const { ledgerBefore, database } = this.#paths;
      if (existsSync(ledgerBefore)) restoreLedger(ledgerBefore, database);
      await this.#edge.undo();
      await this.#containers.putBack();
    }
    this.#log.error({ takeOver: "failed" satisfies TakeOverPhase, code, hint }, message);
  }

  async #askForTurn(): Promise<Predecessor | undefined> {
    const giveUpAtMs = performance.now() + waitMs;
    let told: string | undefined;
    for (;;) {
      // One that is starting, or falls again and again, is not asked: it has nothing under way that its ledger
      // does not tell.
      const predecessor = await Predecessor.connect(this.#paths.socket);
      if (predecessor === undefined) return undefined;
      const busy = await predecessor.yield().catch((error: unknown) => {
        this.#log.warn({ reason: String(error) }, "the agent before did not answer; it is replaced all the same");
        return undefined;
      });
      if (busy === undefined) return predecessor;
      predecessor.close();
      if (busy !== told) this.#tell("waiting", `waiting: ${busy}`);
      told = busy;
      if (performance.now() > giveUpAtMs) throw new IkomaError("DEPLOY_IN_PROGRESS", busy);
      await sleep(pollMs);
    }
  }

  #tell(takeOver: TakeOverPhase, message: string): void {
    this.#log.info({ takeOver }, message);
  }
}
