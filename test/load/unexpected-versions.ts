import type { RequestRecord } from "./recording.ts";
import type { AllowedVersion, StreamReport } from "./stream-report.ts";

const MAX_EXAMPLES = 100;

/**
 * The answers that no interval explains. A request lives from sending to the end of its answer; it is explained if
 * some interval of its version touches that life, so a slow request sent before the switch may end after it.
 *
 * @param startedAtMs start of the stream, milliseconds since the epoch, as are the intervals.
 */
export function findUnexpected(
  records: readonly RequestRecord[],
  startedAtMs: number,
  allowed: readonly AllowedVersion[],
): NonNullable<StreamReport["unexpected"]> {
  const found: NonNullable<StreamReport["unexpected"]> = { answers: 0, examples: [] };
  for (const { version, sentMs, lagMs, latencyMs } of records) {
    if (version === undefined) continue;
    const sentAtMs = startedAtMs + sentMs;
    const answeredAtMs = sentAtMs - lagMs + latencyMs;
    if (allowed.some((interval) => explains(interval, version, sentAtMs, answeredAtMs))) continue;
    found.answers += 1;
    if (found.examples.length < MAX_EXAMPLES) found.examples.push({ version, sentAtMs, answeredAtMs });
  }
  return found;
}

function explains(interval: AllowedVersion, version: string, sentAtMs: number, answeredAtMs: number): boolean {
  return (
    interval.version === version &&
    answeredAtMs >= (interval.fromMs ?? -Infinity) &&
    sentAtMs <= (interval.toMs ?? Infinity)
  );
}
