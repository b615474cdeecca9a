import type { BenchmarkReport } from "./benchmark-report.ts";
import { reportTables } from "./report-page.ts";

/** The body of docs/benchmarks.md: how to run it, what the figures mean, the tables, and what they do not show. */
export function benchmarksDocument(report: BenchmarkReport): string {
  return `${howToRun}\n\n${howToRead}\n\n${reportTables(report)}\n\n${notExercised(report)}`;
}

const howToRun = `Every figure on this page comes from [benchmarks.json](benchmarks.json), which two commands make, one after the other:

\`\`\`sh
scripts/setup && source scripts/env.sh
node test/bench/hundred-deploys.ts --out hundred.json                         # the table of memory
node test/bench/report.ts --memory hundred.json --json docs/benchmarks.json   # all else
node scripts/generate-docs.ts                                                 # this page
\`\`\`

On two cores the first takes about five minutes and the second about six, after what \`scripts/setup\` takes. Both need Linux and root: the measured server is a machine of the [lab](../test/lab/README.md). Without \`--memory\` the second writes a report that has no table of memory. Its \`--only commands,crash,bake,load,generator\` measures some of it, \`--runs\` and \`--rounds\` say how often. To compare with more:

- **vegeta**, a load generator that ours can be held against: \`VEGETA_BIN\` names its executable, or \`GOBIN=~/.cache/ikoma/tools go install github.com/tsenart/vegeta/v12@v12.13.0\`. \`node test/bench/validate-load.ts\` does that comparison alone.
- **Kamal 2**: \`KAMAL_BIN\` names its executable. The image of its proxy has to be where the machine of the lab can pull it.`;

const howToRead = `What is changed is [examples/tiny-web](../examples/tiny-web), by its own compose file: another version of one web service, bake 0, the plan printed; both images are on the server already. Times are of whole processes.

Under load each line is one way to that app for ten seconds a round, with the change beginning after one second, or with none: that is what its p99 is compared with (× in the table). Latencies are of answers that succeeded, counted from the moment when the request was due, so that a stall counts for each request that it held up; requests that failed are in no latency. Nothing is tried twice, by client or edge. "Failing for" adds up the tenths of a second in which some request failed. Plain compose is \`docker compose up --detach --wait\` of the same file on the same server: most of its time is the first health check, which the file has after five seconds. Where the generator itself was late, so were its requests: then the machine was too busy for that load, and the latencies say no more than that.`;

function notExercised({ machine, underLoad }: BenchmarkReport): string {
  const ways = new Set(underLoad?.map(({ roller }) => roller));
  const lines = [
    ...(ways.has("kamal")
      ? []
      : [
          "Kamal: it was not given, and the code that drives it (`test/bench/rollers/kamal.ts`) has never been run with a real one.",
        ]),
    `A network: load, commands and server share ${machine.cores} cores and one kernel, so no time on the wire is in here, and each slows down the others.`,
    "Another machine: the bars are absolute, so a slower one misses them with the same code. What carries over is the ratio to plain compose in the same run.",
    "TLS, HTTP/2, several services, a database in the change, several hosts.",
    "A pull: what a deploy waits for an image that is not on the server yet depends on the image.",
  ];
  return `## What this does not show\n\n${lines.map((each) => `- ${each}`).join("\n")}`;
}
