import type { Spread } from "./benchmark-report.ts";

/** Least, middle and most of at least one value, to a tenth of a ms; of an even number the higher of the middle two. */
export function spreadOf(samples: readonly number[]): Spread {
  const sorted = samples.map(rounded).sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  return {
    min: at(0),
    median: at(Math.floor(sorted.length / 2)),
    max: at(sorted.length - 1),
    samples: samples.map(rounded),
  };
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
