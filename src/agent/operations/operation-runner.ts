import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError, toIkomaError } from "../../core/errors.ts";
import type { Host, OperationContext } from "../host.ts";
import { releasePhases } from "../protocol.ts";
import type { Holder, OperationEvent, OperationKind, OperationView } from "../protocol.ts";
import { appOf, partOf, runOperation, secretsOf } from "./catalogue.ts";
import { retireOthers } from "./converge.ts";
import { Leases } from "./leases.ts";
import { redactor } from "./redaction.ts";
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
  done: Promise<void>;
  abort: AbortController;
  listeners: Set<Listener>;
}

const holdPollMs = 20;

/**
 * Runs operations: each once per key, one at a time per app, journalled phase by phase. Callers come
 * and go; an operation goes on without them. (The rule of one executor per app: balena-supervisor's
 * exclusive runner.)
 */
export class OperationRunner {
  readonly leases = new Leases();
  readonly #host: Host;
  readonly #running = new Map<string, Running>();
  readonly #queues = new Map<string, Promise<void>>();

  constructor(host: Host) {
    this.#host = host;
  }

  /** Starts, or attaches to what the key names already. Throws STALE_GENERATION and DEPLOY_IN_PROGRESS before anything changes. */
  start(request: StartRequest): OperationView {
    const known = this.#host.journal.find(request.key);
    if (known !== undefined) return known.view;
    const app = appOf(request.kind, request.input);
    this.#requireGeneration(request, app);
    this.leases.take(app, request.holder);
    this.#host.journal.begin(request.key, request.kind, app, request.holder.label);
    const running: Running = { done: Promise.resolve(), abort: new AbortController(), listeners: new Set() };
    this.#running.set(request.key, running);
    const turn = this.#queues.get(app) ?? Promise.resolve();
    running.done = turn.then(() => this.#run(request, app, running));
    this.#queues.set(app, running.done);
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

  #requireGeneration(request: StartRequest, app: string): void {
    if (request.expectedGeneration === null) return;
    const generation = this.#host.parts.generation(app, partOf(request.kind));
    if (generation === request.expectedGeneration) return;
    throw new IkomaError(
      "STALE_GENERATION",
      `The ${partOf(request.kind)} of ${app} has been changed ${generation} times; the plan was made at ${request.expectedGeneration}.`,
    );
  }

  async #run(request: StartRequest, app: string, running: Running): Promise<void> {
    const context = this.#context(request, running);
    const part = partOf(request.kind);
    const { journal, parts, log } = this.#host;
    try {
      await context.enter("accepted");
      const result = await runOperation(this.#host, request.kind, request.input, context);
      journal.succeed(request.key, result, parts.advance(app, part));
    } catch (thrown) {
      const error = running.abort.signal.aborted ? new IkomaError("CANCELLED", "The operation was cancelled; what it had begun was undone.") : toIkomaError(thrown);
      if (error.code === "INTERNAL") log.error({ operation: request.kind, app, reason: context.redact(stackOf(thrown)) }, "operation failed unexpectedly");
      const state = error.code === "CANCELLED" ? "cancelled" : "failed";
      journal.fail(request.key, state, toWire(error, context.redact), parts.advance(app, part));
    } finally {
      this.#running.delete(request.key);
      this.leases.operationEnded(app, request.holder, part === "release");
      journal.trim();
    }
    if (request.kind === "release.apply") void this.#cleanUp(app, request.key, context);
  }

  /** After the answer: the old release drains and goes. The caller does not wait for it, a next deploy neither. */
  async #cleanUp(app: string, key: string, context: OperationContext): Promise<void> {
    try {
      await retireOthers(this.#host, app, (phase) => context.enter(phase));
    } catch (error) {
      this.#host.log.error({ app, key, reason: context.redact(stackOf(error)) }, "clean-up failed; it is tried again after the next deploy");
    }
  }

  #context(request: StartRequest, running: Running): OperationContext {
    const redact = redactor(secretsOf(request.kind, request.input));
    let seq = 0;
    const tell = (type: OperationEvent["type"], name: string, message: string): void => {
      seq += 1;
      const event = { seq, atMs: Date.now(), type, name, message: redact(message) };
      this.#host.journal.addEvent(request.key, event);
      for (const listener of running.listeners) listener(event);
    };
    return {
      key: request.key,
      by: request.holder.label,
      signal: running.abort.signal,
      redact,
      enter: async (phase) => {
        this.#host.journal.enter(request.key, phase);
        tell("phase", phase, "");
        await this.#holdAt(phase);
      },
      step: (name, message) => {
        tell("step", name, message);
      },
      log: (service, line) => {
        tell("log", service, line);
      },
    };
  }

  /** Waits while the host's owner holds this phase (a file of its name), to look at or to break off an operation there. */
  async #holdAt(phase: string): Promise<void> {
    const known: readonly string[] = releasePhases;
    if (!known.includes(phase)) return;
    while (existsSync(join(this.#host.paths.hold, phase))) await sleep(holdPollMs);
  }

  #view(key: string): OperationView {
    const entry = this.#host.journal.find(key);
    if (entry === undefined) throw new IkomaError("AGENT_PROTOCOL", `This host knows no operation ${key}.`);
    return entry.view;
  }
}

function stackOf(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
}
