import { parseArgs } from "node:util";
import * as z from "zod";
import { MAX_DURATION_MS, streamOptionsSchema } from "./stream-options.ts";
import type { StreamOptions } from "./stream-options.ts";

/** How to call the generator by hand. */
export const USAGE = `node test/load/main.ts --url URL --rate N --mode keep-alive|new-connections|post
    (--duration 30s | --until-signal) [--out report.json] [--host NAME] [--connections N] [--timeout 10s]
    [--version-header NAME] [--version-pattern REGEXP] [--id-prefix TEXT] [--insecure]

Sends to loopback and 10.77.0.0/16 only, at most 2,000 requests a second for at most 10 minutes.
SIGINT or SIGTERM ends it early; the report is written all the same.`;

/** A call by hand: one stream, and where its report goes (standard output if nowhere). */
export interface LoadCommand {
  stream: StreamOptions;
  out: string | undefined;
}

/** Throws with what is wrong if the arguments are not as in `USAGE`. */
export function parseCommandLine(args: string[]): LoadCommand {
  const { values } = parseArgs({
    args,
    options: {
      url: { type: "string" },
      rate: { type: "string" },
      mode: { type: "string" },
      duration: { type: "string" },
      "until-signal": { type: "boolean" },
      out: { type: "string" },
      host: { type: "string" },
      connections: { type: "string" },
      timeout: { type: "string" },
      "version-header": { type: "string" },
      "version-pattern": { type: "string" },
      "id-prefix": { type: "string" },
      insecure: { type: "boolean" },
    },
  });
  if ((values.duration === undefined) === (values["until-signal"] === undefined)) {
    throw new Error("give either --duration or --until-signal");
  }
  const given = {
    url: values.url,
    ratePerSecond: optionalNumber(values.rate),
    mode: values.mode,
    durationMs: values.duration === undefined ? MAX_DURATION_MS : durationMs(values.duration),
    host: values.host,
    connections: optionalNumber(values.connections),
    timeoutMs: values.timeout === undefined ? undefined : durationMs(values.timeout),
    versionHeader: values["version-header"],
    versionPattern: values["version-pattern"],
    idPrefix: values["id-prefix"],
    insecureTls: values.insecure,
  };
  const stream = streamOptionsSchema.safeParse(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
  );
  if (!stream.success) throw new Error(z.prettifyError(stream.error));
  return { stream: stream.data, out: values.out };
}

function optionalNumber(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** `1500ms`, `30s`, `2m` to milliseconds. */
function durationMs(text: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`not a duration: ${text} (write 500ms, 30s or 2m)`);
  return Number(amount) * (unit === "m" ? 60_000 : unit === "s" ? 1000 : 1);
}
