import type { LoadReport, StreamReport } from "../load/stream-report.ts";

const windowMs = 100;

/** An interval in milliseconds since the epoch: `fromMs` belongs to it, `toMs` does not. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What the load saw of requests sent in a span. */
export interface LoadFigures {
  readonly sent: number;
  readonly failed: number;
  /** Answers from a version that may not serve at that time. */
  readonly unexpected: number;
  /** Writes that were acknowledged and are not in the database. */
  readonly lost: number;
}

/** Requests of all streams sent in 100 ms. */
export interface Window {
  readonly sent: number;
  readonly failed: number;
}

/** What happened to the requests sent in `span`; exact to the 100 ms of the report's windows. */
export function figuresOf(report: LoadReport, lostIds: ReadonlySet<string>, span: Span): LoadFigures {
  const figures = { sent: 0, failed: 0, unexpected: 0, lost: 0 };
  const isInside = (atMs: number): boolean => atMs >= span.fromMs && atMs < span.toMs;
  for (const stream of report.streams) {
    for (const { atMs, sent, failed } of stream.windows) {
      if (!isInside(stream.startedAtMs + atMs)) continue;
      figures.sent += sent;
      figures.failed += failed;
    }
    figures.unexpected += stream.unexpected?.examples.filter(({ sentAtMs }) => isInside(sentAtMs)).length ?? 0;
    figures.lost += stream.acknowledgedIds.filter((id) => lostIds.has(id) && isInside(dueAtMs(stream, id))).length;
  }
  return figures;
}

/** What happened to all requests, also those that were due and could not be sent. */
export function totalFigures(report: LoadReport, lostIds: ReadonlySet<string>): LoadFigures {
  const sum = (value: (stream: StreamReport) => number): number =>
    report.streams.reduce((total, stream) => total + value(stream), 0);
  return {
    sent: sum((stream) => stream.sent),
    failed: sum((stream) => stream.failed),
    unexpected: sum((stream) => stream.unexpected?.answers ?? 0),
    lost: lostIds.size,
  };
}

/** When a version answered first, in milliseconds since the epoch; undefined if it never did. */
export function firstAnswerAtMs(report: LoadReport, version: string): number | undefined {
  const instants = report.streams.flatMap((stream) =>
    stream.versions.filter((seen) => seen.version === version).map((seen) => seen.firstAnswerAtMs),
  );
  return instants.length === 0 ? undefined : Math.min(...instants);
}

/** The windows from `before` windows ahead of the one that `atMs` falls into, to `after` windows behind it. */
export function windowsAround(report: LoadReport, atMs: number, before: number, after: number): Window[] {
  const originMs = report.streams[0]?.startedAtMs ?? atMs;
  const middle = Math.floor((atMs - originMs) / windowMs);
  const windows = Array.from({ length: before + 1 + after }, () => ({ sent: 0, failed: 0 }));
  for (const stream of report.streams) {
    for (const { atMs: startMs, sent, failed } of stream.windows) {
      // The streams start a few ms apart: their windows are matched to the nearest of the first one's.
      const index = Math.round((stream.startedAtMs + startMs - originMs) / windowMs);
      const window = windows[index - middle + before];
      if (window === undefined) continue;
      window.sent += sent;
      window.failed += failed;
    }
  }
  return windows;
}

/** Ids are `<prefix>-<sequence>`, and request number i is due at i / rate. */
function dueAtMs({ startedAtMs, ratePerSecond }: StreamReport, id: string): number {
  const sequence = Number(id.slice(id.lastIndexOf("-") + 1));
  return startedAtMs + (sequence * 1000) / ratePerSecond;
}
