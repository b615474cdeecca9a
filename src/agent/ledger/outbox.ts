import { randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import * as z from "zod";
import { hostEvent, type EventChunk, type HostEvent } from "../../core/link/link-protocol.ts";

/** Events that wait while the API is away; beyond it the oldest go, and the API tells of the gap. */
const keptEvents = 10_000;
/** Few at once: the agent is to stay small. */
const chunkEvents = 50;

const streamRow = z.object({ id: z.string(), last: z.number() });
const eventRow = z.object({ number: z.number(), event: z.string() });

/**
 * What operations tell, numbered without a gap, until the Bridge's API has it. Written in the transaction that writes
 * the journal, so that neither has what the other has not.
 */
export class Outbox {
  readonly #database: DatabaseSync;
  #onAdded: () => void = () => undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Calls back after each addition, perhaps before that is committed. */
  whenAdded(onAdded: () => void): void {
    this.#onAdded = onAdded;
  }

  add(event: HostEvent): void {
    const { last } = this.#stream();
    const number = last + 1;
    this.#database.prepare("UPDATE outbox_stream SET last = ?").run(number);
    this.#database.prepare("INSERT INTO outbox (number, event) VALUES (?, ?)").run(number, JSON.stringify(event));
    this.#database.prepare("DELETE FROM outbox WHERE number <= ?").run(number - keptEvents);
    this.#onAdded();
  }

  /** Names the numbering. */
  get stream(): string {
    return this.#stream().id;
  }

  /** The oldest that wait; undefined for none. */
  chunk(): EventChunk | undefined {
    const rows = this.#database
      .prepare("SELECT number, event FROM outbox ORDER BY number LIMIT ?")
      .all(chunkEvents)
      .map((row) => eventRow.parse(row));
    const [begin] = rows;
    if (begin === undefined) return undefined;
    const events = rows.map(({ event }) => hostEvent.parse(JSON.parse(event)));
    return { stream: this.stream, first: begin.number, events };
  }

  /**
   * The API has all up to this number. Where it has more than there ever was, this disk was put back to an earlier day:
   * what waits is numbered anew, in a stream of another name. Answers whether that was so.
   */
  settle(received: number): boolean {
    if (received > this.#stream().last) {
      this.#beginAnew();
      return true;
    }
    this.#database.prepare("DELETE FROM outbox WHERE number <= ?").run(received);
    return false;
  }

  #beginAnew(): void {
    const waiting = this.#database
      .prepare("SELECT number, event FROM outbox ORDER BY number")
      .all()
      .map((row) => eventRow.parse(row));
    this.#database.exec("DELETE FROM outbox; DELETE FROM outbox_stream");
    for (const { event } of waiting) this.add(hostEvent.parse(JSON.parse(event)));
  }

  #stream(): z.infer<typeof streamRow> {
    const found = this.#database.prepare("SELECT id, last FROM outbox_stream").get();
    if (found !== undefined) return streamRow.parse(found);
    const made = { id: randomUUID(), last: 0 };
    this.#database.prepare("INSERT INTO outbox_stream (id, last) VALUES (?, ?)").run(made.id, made.last);
    return made;
  }
}
