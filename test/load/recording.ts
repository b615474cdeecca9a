import type { RequestOutcome } from "./request-outcome.ts";

const MAX_EXAMPLES = 100;
const MAX_VERSIONS = 1_000;

/** One request as it is kept; instants are milliseconds since the start of the stream. */
export interface RequestRecord {
  sequence: number;
  sentMs: number;
  /** How late the generator itself sent it. */
  lagMs: number;
  /** From the instant when it was due to the end of the answer, so that a busy generator does not flatter the server. */
  latencyMs: number;
  kind: string;
  status: number | undefined;
  version: string | undefined;
  reused: boolean;
}

/** One failure with its details; only the first hundred are kept. */
export interface FailureExample {
  sequence: number;
  sentMs: number;
  kind: string;
  reused: boolean;
  idleMs?: number;
  detail?: string;
}

/**
 * Every request of a stream in typed arrays (24 bytes each), sized at the start: memory is bounded by rate times
 * duration, and questions such as "who answered with v1 after 12:00:03.2" have exact answers afterwards.
 */
export class Recording {
  readonly examples: FailureExample[] = [];
  #length = 0;
  readonly #sentMs: Float64Array;
  readonly #lagMs: Float32Array;
  readonly #latencyMs: Float32Array;
  readonly #status: Uint16Array;
  readonly #kind: Uint16Array;
  readonly #version: Uint16Array;
  readonly #reused: Uint8Array;
  readonly #kinds = new NameTable(MAX_VERSIONS);
  readonly #versions = new NameTable(MAX_VERSIONS);

  /** @param capacity largest number of requests; sending more throws. */
  constructor(capacity: number) {
    this.#sentMs = new Float64Array(capacity);
    this.#lagMs = new Float32Array(capacity);
    this.#latencyMs = new Float32Array(capacity);
    this.#status = new Uint16Array(capacity);
    this.#kind = new Uint16Array(capacity);
    this.#version = new Uint16Array(capacity);
    this.#reused = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** Notes that the next request goes out; returns its sequence number. */
  sent(dueMs: number, sentMs: number): number {
    const sequence = this.#length;
    if (sequence >= this.#sentMs.length) throw new RangeError("the recording is full");
    this.#sentMs[sequence] = sentMs;
    this.#lagMs[sequence] = sentMs - dueMs;
    this.#length += 1;
    return sequence;
  }

  /** Notes how a request ended. */
  ended(sequence: number, endedMs: number, outcome: RequestOutcome): void {
    const sentMs = this.#sentMs[sequence] ?? 0;
    this.#latencyMs[sequence] = endedMs - sentMs + (this.#lagMs[sequence] ?? 0);
    this.#status[sequence] = outcome.status ?? 0;
    this.#kind[sequence] = this.#kinds.indexOf(outcome.kind);
    this.#version[sequence] = outcome.version === undefined ? 0 : this.#versions.indexOf(outcome.version);
    this.#reused[sequence] = outcome.reused ? 1 : 0;
    if (outcome.kind !== "ok") this.#keepExample(sequence, sentMs, outcome);
  }

  /** All requests in the order in which they were sent; one without an end has the kind `unfinished`. */
  *records(): Generator<RequestRecord> {
    for (let sequence = 0; sequence < this.#length; sequence += 1) {
      yield {
        sequence,
        sentMs: this.#sentMs[sequence] ?? 0,
        lagMs: this.#lagMs[sequence] ?? 0,
        latencyMs: this.#latencyMs[sequence] ?? 0,
        kind: this.#kinds.nameOf(this.#kind[sequence] ?? 0) ?? "unfinished",
        status: this.#status[sequence] || undefined,
        version: this.#versions.nameOf(this.#version[sequence] ?? 0),
        reused: this.#reused[sequence] === 1,
      };
    }
  }

  #keepExample(sequence: number, sentMs: number, outcome: RequestOutcome): void {
    if (this.examples.length >= MAX_EXAMPLES) return;
    const { kind, reused, idleMs, detail } = outcome;
    this.examples.push({
      sequence,
      sentMs,
      kind,
      reused,
      ...(idleMs !== undefined && { idleMs }),
      ...(detail !== undefined && { detail }),
    });
  }
}

/** Names as small numbers from 1; past its limit all further names share `(other)`. */
class NameTable {
  readonly #names: string[] = [];
  readonly #indexes = new Map<string, number>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  indexOf(name: string): number {
    const known = this.#indexes.get(name);
    if (known !== undefined) return known;
    if (this.#names.length >= this.#limit && name !== "(other)") return this.indexOf("(other)");
    this.#names.push(name);
    this.#indexes.set(name, this.#names.length);
    return this.#names.length;
  }

  nameOf(index: number): string | undefined {
    return this.#names[index - 1];
  }
}
