import * as z from "zod";
import type { EdgeCounters } from "./edge.ts";
import { table } from "./runtime-state.ts";

/** HAProxy leaves a cell empty where nothing was counted yet. */
const count = z.coerce.number().int().nonnegative();

const statRow = z.object({
  "# pxname": z.string(),
  svname: z.string(),
  hrsp_1xx: count,
  hrsp_2xx: count,
  hrsp_3xx: count,
  hrsp_4xx: count,
  hrsp_5xx: count,
  hrsp_other: count,
  econ: count,
  eresp: count,
  rtime: count,
});

/**
 * What one worker has counted, from its `show stat`. An answer that the server gave counts under `hrsp_`, one that
 * HAProxy gave in its place (502, 503, 504) only under `econ` or `eresp`.
 * @throws IkomaError EDGE_FAILED for an answer of another form
 */
export function parseCounters(worker: number, statAnswer: string): EdgeCounters[] {
  return table(statRow, statAnswer.split("\n"), ",").map((row) => {
    const broken = row.econ + row.eresp;
    const answered = row.hrsp_1xx + row.hrsp_2xx + row.hrsp_3xx + row.hrsp_4xx + row.hrsp_5xx + row.hrsp_other;
    return {
      worker,
      backend: row["# pxname"],
      server: row.svname,
      requests: answered + broken,
      failed: row.hrsp_5xx + broken,
      responseMs: row.rtime,
    };
  });
}
