import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import type { HostEvent } from "../../core/link/link-protocol.ts";
import { operationKind, operationState } from "../protocol/operations.ts";
import { operationEvent, wireError } from "../protocol/wire.ts";
import type { OperationKind, OperationState, OperationView } from "../protocol/operations.ts";
import type { OperationEvent, WireError } from "../protocol/wire.ts";
import { transaction } from "./database.ts";
import type { Outbox } from "./outbox.ts";

const row = z.object({
  key: z.string(),
  kind: operationKind,
  app: z.string(),
  by: z.string(),
  state: operationState,
  phase: z.string(),
  number: z.number().nullable(),
  result: z.string().nullable(),
  error: z.string().nullable(),
  generation: z.number().nullable(),
});

/** An operation as the journal has it. */
export interface JournalEntry {
  key: string;
  kind: OperationKind;
  app: string;
  by: string;
  state: OperationState;
  phase: string;
  /** The deployment that a `release.apply` made. */
  number: number | undefined;
  view: OperationView;
}

/** Ended operations (with their events) that are kept for a repeated or late call. */
const keptOperations = 200;

/** Every operation with the phase it is in, on disk before the phase is acted on. */
export class Journal {
  readonly #database: DatabaseSync;
  readonly #outbox: Outbox | undefined;

  /** What is told goes into the outbox as well, where there is somebody to send it to. */
  constructor(database: DatabaseSync, outbox?: Outbox) {
    this.#database = database;
    this.#outbox = outbox;
  }

  begin(key: string, kind: OperationKind, app: string, by: string): void {
    this.#database
      .prepare(
        "INSERT INTO operations (key, kind, app, by, state, phase, started_ms) VALUES (?, ?, ?, ?, 'running', 'accepted', ?)",
      )
      .run(key, kind, app, by, Date.now());
  }

  enter(key: string, phase: string): void {
    this.#database.prepare("UPDATE operations SET phase = ? WHERE key = ?").run(phase, key);
  }

  setNumber(key: string, number: number): void {
    this.#database.prepare("UPDATE operations SET number = ? WHERE key = ?").run(number, key);
  }

  succeed(key: string, result: unknown, generation: number): void {
    this.#database
      .prepare("UPDATE operations SET state = 'succeeded', result = ?, generation = ?, ended_ms = ? WHERE key = ?")
      .run(JSON.stringify(result), generation, Date.now(), key);
    this.#send(key, { atMs: Date.now(), type: "ended", name: "succeeded", message: "" });
  }

  fail(key: string, state: "failed" | "cancelled", error: WireError, generation: number): void {
    this.#database
      .prepare("UPDATE operations SET state = ?, error = ?, generation = ?, ended_ms = ? WHERE key = ?")
      .run(state, JSON.stringify(error), generation, Date.now(), key);
    this.#send(key, { atMs: Date.now(), type: "ended", name: state, message: `${error.code}: ${error.message}` });
  }

  find(key: string): JournalEntry | undefined {
    const found = this.#database.prepare("SELECT * FROM operations WHERE key = ?").get(key);
    return found === undefined ? undefined : fromRow(row.parse(found));
  }

  /** Operations that had not ended: after a restart, those that the crash cut off. */
  running(): JournalEntry[] {
    const rows = this.#database.prepare("SELECT * FROM operations WHERE state = 'running' ORDER BY rowid").all();
    return rows.map((each) => fromRow(row.parse(each)));
  }

  /** Enters an event under the operation's next number, and gives it with that. */
  addEvent(key: string, event: Omit<OperationEvent, "seq">): OperationEvent {
    if (this.#outbox === undefined) return this.#addEvent(key, event);
    return transaction(this.#database, () => {
      this.#send(key, event);
      return this.#addEvent(key, event);
    });
  }

  #addEvent(key: string, event: Omit<OperationEvent, "seq">): OperationEvent {
    const found = this.#database.prepare("SELECT COALESCE(MAX(seq), 0) + 1 AS seq FROM events WHERE key = ?").get(key);
    const numbered = { ...z.object({ seq: z.number() }).parse(found), ...event };
    this.#database
      .prepare("INSERT INTO events (key, seq, at_ms, type, name, message) VALUES (?, ?, ?, ?, ?, ?)")
      .run(key, numbered.seq, event.atMs, event.type, event.name, event.message);
    return numbered;
  }

  events(key: string, after: number): OperationEvent[] {
    const rows = this.#database
      .prepare("SELECT seq, at_ms AS atMs, type, name, message FROM events WHERE key = ? AND seq > ? ORDER BY seq")
      .all(key, after);
    // The driver's rows have no prototype, which a strict schema takes for no object of its own.
    return rows.map((each) => operationEvent.parse({ ...each }));
  }

  #send(key: string, event: Pick<HostEvent, "atMs" | "type" | "name" | "message">): void {
    const entry = this.#outbox === undefined ? undefined : this.find(key);
    if (entry === undefined) return;
    const { kind, app, by } = entry;
    this.#outbox?.add({ operation: key, kind, app, by, ...event });
  }

  /** Makes all entries that `action` makes one: after a crash either each is there or none. */
  atOnce(action: () => void): void {
    transaction(this.#database, action);
  }

  /** Forgets the ended operations of an app, with all that their events tell. */
  forget(app: string): void {
    this.#database.prepare("DELETE FROM operations WHERE app = ? AND state <> 'running'").run(app);
    this.#database.exec("DELETE FROM events WHERE key NOT IN (SELECT key FROM operations)");
  }

  /** Drops the oldest ended operations beyond what is kept, by their order: the clock may have been put back. */
  trim(): void {
    this.#database.exec(`
      DELETE FROM operations WHERE state <> 'running' AND key NOT IN
        (SELECT key FROM operations ORDER BY rowid DESC LIMIT ${keptOperations});
      DELETE FROM events WHERE key NOT IN (SELECT key FROM operations)`);
  }
}

function fromRow(found: z.infer<typeof row>): JournalEntry {
  const { key, kind, app, by, state, phase } = found;
  return {
    key,
    kind,
    app,
    by,
    state,
    phase,
    number: found.number ?? undefined,
    view: {
      key,
      kind,
      app,
      state,
      phase,
      ...(found.result === null ? {} : { result: JSON.parse(found.result) as unknown }),
      ...(found.error === null ? {} : { error: wireError.parse(JSON.parse(found.error)) }),
      ...(found.generation === null ? {} : { generation: found.generation }),
    },
  };
}
