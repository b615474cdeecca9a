import type { BenchmarkReport } from "./benchmark-report.ts";

/** A figure that was promised, and what it came to. */
export interface Bar {
  readonly what: string;
  readonly bar: string;
  /** Undefined where this report did not measure it. */
  readonly measured: string | undefined;
  readonly isMet: boolean | undefined;
}

/** Of the middle of whole processes, in ms. */
const commandBars: readonly (readonly [command: string, what: string, atMostMs: number])[] = [
  ["deploy", "good deploy, no load", 1_800],
  ["rollback", "rollback, no load", 1_800],
  ["nothing changed", "nothing changed", 1_000],
  ["ikoma status", "`ikoma status`", 400],
  ["ikoma --version", "`ikoma --version`", 150],
];
const crashToldMs = 700;
const switchBackMs = 200;
const residentMiB = 100;
const deploysOfMemory = 100;

/** All bars, met or missed; times by their median. */
export function barsOf(report: BenchmarkReport): Bar[] {
  return [
    ...commandBars.map(([command, what, ms]) => timeBar(what, ms, report.commands?.[command]?.median)),
    timeBar("crash told after the exit", crashToldMs, report.crashToldMs?.median),
    timeBar("old release serves after a failed bake's verdict", switchBackMs, report.switchBackMs?.max, "worst"),
    failedBar(report),
    memoryBar(report),
  ];
}

function timeBar(what: string, atMostMs: number, ms: number | undefined, of = "median"): Bar {
  return {
    what,
    bar: `≤ ${atMostMs} ms`,
    measured: ms === undefined ? undefined : `${Math.round(ms)} ms (${of})`,
    isMet: ms === undefined ? undefined : ms <= atMostMs,
  };
}

function failedBar({ underLoad }: BenchmarkReport): Bar {
  const ours = underLoad?.filter(({ roller, isChange }) => roller === "ikoma" && isChange) ?? [];
  const sum = (of: (row: (typeof ours)[number]) => number): number => ours.reduce((total, row) => total + of(row), 0);
  const [sent, failed] = [sum((row) => row.sent), sum((row) => row.failed)];
  const measured = ours.length === 0 ? undefined : `${failed} of ${sent}`;
  return {
    what: "failed requests during deploys",
    bar: "0",
    measured,
    isMet: measured === undefined ? undefined : failed === 0,
  };
}

function memoryBar({ memory }: BenchmarkReport): Bar {
  const last = memory?.looks.findLast(({ deploys }) => deploys >= deploysOfMemory);
  return {
    what: "edge + agent, resident, after a hundred deploys",
    bar: `≤ ${residentMiB} MiB`,
    measured: last && `${last.totalMiB.toFixed(1)} MiB`,
    isMet: last && last.totalMiB <= residentMiB,
  };
}
