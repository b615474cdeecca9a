import { IkomaError, toIkomaError } from "../../core/errors.ts";
import type { Host, OperationContext } from "../host.ts";
import { IdleMemory } from "../idle-memory.ts";
import type { Holder, OperationKind, OperationView } from "../protocol/operations.ts";
import type { OperationEvent } from "../protocol/wire.ts";
import { appOf, partOf, runOperation, secretsOf } from "./catalogue.ts";
import { retireOthers } from "./upkeep/converge.ts";
import { Leases } from "./leases.ts";
import { operationContext } from "./operation-context.ts";
import { untilRecorded } from "./until-recorded.ts";
import { redactor } from "../../core/redaction.ts";
import { toWire } from "./wire-error.ts";

/** What a caller starts. */
export interface StartRequest {
  key: string;
  kind: OperationKind;
  input: unknown;
  expectedGeneration: number | null;
  holder: Holder;
}

type Listener = (event: OperationEvent) => void;

interface Running {
  app: string;
  done: Promise<void>;
  abort: AbortController;
  listeners: Set<Listener>;
}

/**
 * Runs operations: each once per key, one at a time per app, journalled phase by phase. Callers come
 * and go; an operation goes on without them. (The rule of one executor per app: balena-supervisor's
 * exclusive runner.)
 */
export class OperationRunner {
  readonly leases = new Leases();
  readonly #host: Host;
  readonly #running = new Map<string, Running>();
  readonly #turns = new Map<string, Promise<void>>();
  readonly #memory = new IdleMemory(() => this.#running.size === 0);

  constructor(host: Host) {
    this.#host = host;
  }

  /** Starts, or attaches to what the key names already. Throws STALE_GENERATION and DEPLOY_IN_PROGRESS before anything changes. */
  start(request: StartRequest): OperationView {
    const known = this.#host.journal.find(request.key);
    if (known !== undefined) return known.view;
    const app = appOf(request.kind, request.input);
    this.#requireGeneration(request, app);
    // Asked before anything is entered: it reads the ledger, and an operation that fails there would never end.
    const redact = redactor(secretsOf(this.#host, request.kind, request.input));
    this.leases.take(app, request.holder);
    try {
      this.#host.journal.begin(request.key, request.kind, app, request.holder.label);
    } catch (error) {
      this.leases.operationEnded(app, request.holder, false);
      throw error;
    }
    const running: Running = { app, done: Promise.resolve(), abort: new AbortController(), listeners: new Set() };
    this.#running.set(request.key, running);
    this.#host.scheduledRuns.breakOff(app);
    running.done = this.inTurn(app, () => this.#run(request, app, running, redact));
    return this.#view(request.key);
  }

  /** Tells the events after `after`, old and new, and answers when the operation has ended. */
  async attach(key: string, after: number, listener: Listener): Promise<OperationView> {
    const running = this.#running.get(key);
    // Joined before the old events are read, in one turn of the event loop: none is lost, none comes twice.
    running?.listeners.add(listener);
    for (const event of this.#host.journal.events(key, after)) listener(event);
    await running?.done;
    running?.listeners.delete(listener);
    return this.#view(key);
  }

  cancel(key: string): void {
    this.#running.get(key)?.abort.abort(new IkomaError("CANCELLED", "The operation was cancelled."));
  }

  /** The operation that is under way for an app, if there is one. */
  current(app: string): { kind: OperationKind; phase: string; by: string } | undefined {
    return this.#host.journal.running().find((each) => each.app === app);
  }

  /** Whether an operation of the app runs or waits for its turn. */
  isBusy(app: string): boolean {
    return [...this.#running.values()].some((each) => each.app === app);
  }

  /** What is under way on the host, for people; undefined when nothing is, and nobody is in the middle of a deploy. */
  underWay(): string | undefined {
    const [running] = this.#host.journal.running();
    if (running !== undefined)
      return `${running.kind} of ${running.app} by ${running.by} is in its phase "${running.phase}".`;
    const [lease] = this.leases.held();
    return lease === undefined ? undefined : `${lease.app} is being deployed by ${lease.label}.`;
  }

  /** Runs `task` when all that was begun for the app before has ended. A task that fails is logged and stops none behind it. */
  inTurn(app: string, task: () => Promise<void>): Promise<void> {
    const turn = this.#turns.get(app) ?? Promise.resolve();
    const done = turn.then(task).catch((error: unknown) => {
      this.#host.log.error({ app, reason: String(error) }, "a task of the app failed");
    });
    this.#turns.set(app, done);
    return done;
  }

  #requireGeneration(request: StartRequest, app: string): void {
    if (request.expectedGeneration === null) return;
    const generation = this.#host.parts.generation(app, partOf(request.kind));
    if (generation === request.expectedGeneration) return;
    throw new IkomaError(
      "STALE_GENERATION",
      `The ${partOf(request.kind)} of ${app} has been changed ${generation} times; the plan was made at ${request.expectedGeneration}.`,
    );
  }

  async #run(request: StartRequest, app: string, running: Running, redact: (text: string) => string): Promise<void> {
    const { journal, parts } = this.#host;
    const context = this.#context(request, running, redact, running.abort.signal);
    const part = partOf(request.kind);
    let record: () => void;
    try {
      await context.enter("accepted");
      context.signal.throwIfAborted();
      const result = await runOperation(this.#host, request.kind, request.input, context);
      record = () => {
        journal.succeed(request.key, result, parts.advance(app, part));
      };
    } catch (thrown) {
      const error = this.#failureOf(request, thrown, redact, running.abort.signal);
      record = () => {
        journal.fail(
          request.key,
          error.code === "CANCELLED" ? "cancelled" : "failed",
          toWire(error, redact),
          parts.advance(app, part),
        );
      };
    }
    await untilRecorded(this.#host, request.key, () => {
      journal.atOnce(() => {
        record();
        journal.trim();
      });
    });
    await this.#host.records.keep(app);
    this.#running.delete(request.key);
    this.leases.operationEnded(app, request.holder, part === "release");
    this.#giveBackMemory();
    if (request.kind === "release.apply")
      void this.#cleanUp(app, this.#context(request, running, redact, new AbortController().signal));
  }

  #failureOf(
    request: StartRequest,
    thrown: unknown,
    redact: (text: string) => string,
    signal: AbortSignal,
  ): IkomaError {
    const error = toIkomaError(thrown);
    if (error.code === "INTERNAL" && !signal.aborted) {
      const reason = redact(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown));
      this.#host.log.error({ operation: request.kind, key: request.key, reason }, "operation failed unexpectedly");
    }
    if (!signal.aborted || error.code === "CANCELLED") return error;
    // Whatever the cancelling made fail; that it is not lost where it was something else.
    return new IkomaError("CANCELLED", "The operation was cancelled.", {
      details: { reason: error.message },
      cause: thrown,
    });
  }

  /** After the answer: the old release drains and goes. The caller does not wait for it, a next deploy neither. */
  async #cleanUp(app: string, context: OperationContext): Promise<void> {
    try {
      await retireOthers(this.#host, app, context.enter);
      await this.#host.records.keep(app);
    } catch (error) {
      const reason = context.redact(error instanceof Error ? (error.stack ?? error.message) : String(error));
      this.#host.log.error({ app, key: context.key, reason }, "clean-up failed; the sweep tries again");
    }
    this.#giveBackMemory();
  }

  #giveBackMemory(): void {
    this.#memory.endedOne();
  }

  #context(
    request: StartRequest,
    running: Running,
    redact: (text: string) => string,
    signal: AbortSignal,
  ): OperationContext {
    return operationContext(this.#host, {
      key: request.key,
      app: appOf(request.kind, request.input),
      by: request.holder.label,
      signal,
      redact,
      notify: (event) => {
        for (const listener of running.listeners) listener(event);
      },
    });
  }

  #view(key: string): OperationView {
    const entry = this.#host.journal.find(key);
    if (entry === undefined) throw new IkomaError("AGENT_PROTOCOL", `This host knows no operation ${key}.`);
    return entry.view;
  }
}
