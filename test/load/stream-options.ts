import { randomBytes } from "node:crypto";
import * as z from "zod";
import { isAllowedTarget } from "./target-guard.ts";

/** No stream, and no set of streams in one process, sends more than this many requests a second. */
export const MAX_RATE_PER_SECOND = 2_000;
/** No stream runs longer than this, whatever its caller forgets. */
export const MAX_DURATION_MS = 600_000;

const targetUrl = z
  .url({ protocol: /^https?$/ })
  .refine((url) => isAllowedTarget(new URL(url)), "load may go to loopback and 10.77.0.0/16 only");

const versionPattern = z.string().refine(hasOneGroup, "must be a regular expression with exactly one capture group");

function hasOneGroup(source: string): boolean {
  try {
    // The empty alternative always matches, so that the match shows how many groups there are.
    return new RegExp(`${source}|`).exec("")?.length === 2;
  } catch {
    return false;
  }
}

/** One constant-rate stream of requests. */
export const streamOptionsSchema = z.strictObject({
  /** Name in the report; unique in a process. */
  name: z.string().min(1).default("load"),
  url: targetUrl,
  /** Requests a second, sent by the clock whether or not earlier ones were answered. */
  ratePerSecond: z.number().positive().max(MAX_RATE_PER_SECOND),
  /**
   * `keep-alive`: GET over connections that stay open; `new-connections`: GET, each on its own connection;
   * `post`: POST `{"id": …}` over connections that stay open, where only 201 is a success.
   */
  mode: z.enum(["keep-alive", "new-connections", "post"]),
  /** Ends by itself after this time; a stop may come earlier. */
  durationMs: z.number().positive().max(MAX_DURATION_MS).default(MAX_DURATION_MS),
  /** An answer not complete within this time is a failure. */
  timeoutMs: z.number().positive().max(60_000).default(10_000),
  /** Open connections that the requests go round over; unused with new connections. */
  connections: z.number().int().positive().max(500).default(20),
  /** Host header and TLS server name, where the edge chooses the app by domain. */
  host: z.string().min(1).optional(),
  /** Accept any certificate (a test edge signs its own). */
  insecureTls: z.boolean().default(false),
  /** Header of an answer that names the version of the app. */
  versionHeader: z.string().min(1).default("x-app-version"),
  /** Where no header names it: regular expression over the body, with one capture group. */
  versionPattern: versionPattern.optional(),
  /** Start of the ids that a `post` stream sends: `<prefix>-<sequence number>`. */
  idPrefix: z
    .string()
    .min(1)
    .max(100)
    .default(() => `load-${randomBytes(4).toString("hex")}`),
});

/** What a caller gives: most fields have defaults. */
export type StreamOptionsInput = z.input<typeof streamOptionsSchema>;
/** Complete and checked. */
export type StreamOptions = z.output<typeof streamOptionsSchema>;

/** The streams of one process: unique names, and the rate limit holds for their sum. */
export const streamSetSchema = z
  .array(streamOptionsSchema)
  .min(1)
  .max(8)
  .refine(
    (streams) => new Set(streams.map((stream) => stream.name)).size === streams.length,
    "stream names must differ",
  )
  .refine(
    (streams) => streams.reduce((sum, stream) => sum + stream.ratePerSecond, 0) <= MAX_RATE_PER_SECOND,
    `all streams together may send at most ${MAX_RATE_PER_SECOND} requests a second`,
  );
