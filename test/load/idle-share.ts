import { cpus } from "node:os";

/** The share of all processors' time that nobody used meanwhile. */
export async function idleDuring(work: () => Promise<unknown>): Promise<number> {
  const before = processorTimes();
  await work();
  const after = processorTimes();
  return (after.idleMs - before.idleMs) / (after.allMs - before.allMs);
}

/** Since boot, of all processors together. */
function processorTimes(): { idleMs: number; allMs: number } {
  const times = cpus().map((processor) => processor.times);
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  return { idleMs: sum(times.map(({ idle }) => idle)), allMs: sum(times.flatMap((each) => Object.values(each))) };
}
