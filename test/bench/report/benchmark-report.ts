import * as z from "zod";

const ms = z.number().nonnegative();
const count = z.number().int().nonnegative();

/** Several measurements of the same thing, in ms; the samples in the order in which they were taken. */
export const spread = z.strictObject({ min: ms, median: ms, max: ms, samples: z.array(ms).min(1) });
export type Spread = z.infer<typeof spread>;

/** Load averages over 1, 5 and 15 minutes. */
const loadAverages = z.tuple([z.number(), z.number(), z.number()]);

const machine = z.strictObject({
  cores: count,
  memoryGiB: z.number(),
  loadAtStart: loadAverages,
  /** Share of all processors' time that nobody used in the second before the first measurement. */
  idleAtStart: z.number().min(0).max(1),
  loadAtEnd: loadAverages,
  versions: z.record(z.string(), z.string()),
});

/** What a request stream is. */
export const benchLoad = z.strictObject({
  ratePerSecond: z.number(),
  mode: z.enum(["keep-alive", "new-connections"]),
});
export type BenchLoad = z.infer<typeof benchLoad>;

/** One way to make a change (or none), under one load; counts are of all rounds together. */
const loadRow = z.strictObject({
  load: benchLoad,
  /** `ikoma`, `plain compose`, `kamal`. */
  roller: z.string(),
  /** False: the same path to the app, with nothing changed meanwhile. */
  isChange: z.boolean(),
  rounds: count,
  sent: count,
  failed: count,
  failures: z.record(z.string(), count),
  /** How many windows of 100 ms had a failed request, times 100 ms: of the worst round. */
  failingMs: ms,
  /** Of the requests that succeeded: median of the rounds, `max` of all. */
  latencyMs: z.strictObject({ p50: ms, p99: ms, max: ms }),
  /** How late the generator itself was, 99th percentile of the worst round. */
  lagP99Ms: ms,
  /** How long the command took; absent where nothing was changed. */
  changeMs: spread.optional(),
});
export type LoadRow = z.infer<typeof loadRow>;

/** What one generator made of a server whose faults are known, and what that server says itself. */
const generatorSide = z.strictObject({
  /** By the server's clock. */
  achievedPerSecond: z.number(),
  /** What the server answered, and how many of those it failed. */
  served: count,
  failedByServer: count,
  /** What the generator reports. */
  sent: count,
  failed: count,
  p50Ms: ms,
  p99Ms: ms,
});
export type GeneratorSide = z.infer<typeof generatorSide>;

const generatorTrial = z.strictObject({
  load: benchLoad,
  own: generatorSide,
  vegeta: generatorSide.optional(),
  /** What is outside the tolerances; empty is agreement. */
  problems: z.array(z.string()),
});
export type GeneratorTrial = z.infer<typeof generatorTrial>;

const generatorCheck = z.strictObject({
  /** Version of vegeta, or why there is none. */
  vegeta: z.string(),
  wasCompared: z.boolean(),
  trials: z.array(generatorTrial),
});
export type GeneratorCheck = z.infer<typeof generatorCheck>;

const memoryLook = z.strictObject({ deploys: count, agentMiB: z.number(), edgeMiB: z.number(), totalMiB: z.number() });

/** What `hundred-deploys.ts` came to. */
const memory = z.strictObject({ looks: z.array(memoryLook), sent: count, failed: count, deployMs: spread });

/** The whole report. A part that was not measured is absent. */
export const benchmarkReport = z.strictObject({
  takenOn: z.iso.date(),
  commit: z.string(),
  machine,
  /** Of whole processes, without load. */
  commands: z.record(z.string(), spread).optional(),
  crashToldMs: spread.optional(),
  switchBackMs: spread.optional(),
  underLoad: z.array(loadRow).optional(),
  /** What was not measured, and why. */
  skipped: z.array(z.strictObject({ what: z.string(), why: z.string() })),
  generator: generatorCheck.optional(),
  memory: memory.optional(),
});
export type BenchmarkReport = z.infer<typeof benchmarkReport>;
