import * as z from "zod";

const epochMs = z.number();
const offsetMs = z.number();
const count = z.number().int().nonnegative();

/** When a version may answer; an end left out is open. */
export const allowedVersionSchema = z.strictObject({
  version: z.string(),
  fromMs: epochMs.optional(),
  toMs: epochMs.optional(),
});

/** A version and the interval, in milliseconds since the epoch, in which it may answer. */
export type AllowedVersion = z.infer<typeof allowedVersionSchema>;

/** An answer that no allowed interval explains. */
export const unexpectedAnswerSchema = z.object({
  version: z.string(),
  sentAtMs: epochMs,
  answeredAtMs: epochMs,
});

/** What one stream saw. Names ending in `AtMs` are milliseconds since the epoch. */
export const streamReportSchema = z.object({
  name: z.string(),
  url: z.string(),
  mode: z.string(),
  ratePerSecond: z.number(),
  startedAtMs: epochMs,
  endedAtMs: epochMs,
  sent: count,
  succeeded: count,
  failed: count,
  /** Failed requests by kind (`status-503`, `connection-refused`, …). */
  failures: z.record(z.string(), count),
  /** Requests that were due but not sent, because too many were in flight. They are in `failed` too, not in `sent`. */
  notSent: count,
  statuses: z.record(z.string(), count),
  connections: z.object({ opened: count, reused: count }),
  /** Of successful requests, from the instant when they were due. */
  latencyMs: z.object({ p50: z.number(), p90: z.number(), p99: z.number(), max: z.number() }),
  /** How late the generator sent: if this is large, doubt the latencies. */
  lagMs: z.object({ p99: z.number(), max: z.number() }),
  /** Per 100 ms of sending, empty ones left out. */
  windows: z.array(z.object({ atMs: offsetMs, sent: count, failed: count })),
  /** In the order in which they first answered. */
  versions: z.array(
    z.object({ version: z.string(), answers: count, firstAnswerAtMs: epochMs, lastAnswerAtMs: epochMs }),
  ),
  /** Successful answers in which no version could be read. */
  withoutVersion: count,
  /** Only with allowed intervals: how many answers they do not explain, and the first hundred. */
  unexpected: z.object({ answers: count, examples: z.array(unexpectedAnswerSchema) }).optional(),
  failureExamples: z.array(
    z.object({
      sequence: count,
      sentMs: offsetMs,
      kind: z.string(),
      reused: z.boolean(),
      idleMs: z.number().optional(),
      detail: z.string().optional(),
    }),
  ),
  /** Ids answered with 201: each must be in the database. */
  acknowledgedIds: z.array(z.string()),
  /** Ids sent but not acknowledged: they may or may not be there. */
  unacknowledgedIds: z.array(z.string()),
});

/** What one stream saw. */
export type StreamReport = z.infer<typeof streamReportSchema>;

/** What all streams of a process saw, and the marks its parent set. */
export const loadReportSchema = z.object({
  marks: z.array(z.object({ label: z.string(), atMs: epochMs })),
  streams: z.array(streamReportSchema),
});

/** What all streams of a process saw. */
export type LoadReport = z.infer<typeof loadReportSchema>;
