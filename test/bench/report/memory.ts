import * as z from "zod";
import type { BenchmarkReport } from "./benchmark-report.ts";
import { spreadOf } from "./spread.ts";

/** The part of it that is read here. */
const hundredDeploys = z.object({
  looks: z.array(
    z.object({
      deploys: z.number(),
      memory: z.object({ agentMiB: z.number(), edgeMiB: z.number(), totalMiB: z.number() }),
    }),
  ),
  deployMs: z.array(z.number()),
  load: z.object({ sent: z.number(), failed: z.number() }),
});

/** What `hundred-deploys.ts --out` wrote, as a part of the report. Throws where it is something else. */
export function memoryOf(written: unknown): NonNullable<BenchmarkReport["memory"]> {
  const { looks, deployMs, load } = hundredDeploys.parse(written);
  return {
    looks: looks.map(({ deploys, memory: { agentMiB, edgeMiB, totalMiB } }) => ({
      deploys,
      agentMiB: rounded(agentMiB),
      edgeMiB: rounded(edgeMiB),
      totalMiB: rounded(totalMiB),
    })),
    sent: load.sent,
    failed: load.failed,
    deployMs: spreadOf(deployMs),
  };
}

function rounded(mebibytes: number): number {
  return Math.round(mebibytes * 10) / 10;
}
