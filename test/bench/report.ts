import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { measure, partNames, type PartName } from "./parts/measure.ts";
import { memoryOf } from "./report/memory.ts";
import { reportTables } from "./report/report-page.ts";

const usage = `node test/bench/report.ts [--runs 5] [--rounds 2] [--only PART,…] [--memory FILE] [--json FILE]

Measures examples/tiny-web on a machine of the lab and prints tables; about six minutes.
Needs Linux, root and scripts/setup.
  --runs    times that each command is timed
  --rounds  times that each load runs, with a change and without
  --only    some of: ${partNames.join(", ")}
  --memory  what hundred-deploys.ts wrote with --out, to be part of the report
  --json    where the report goes; scripts/generate-docs.ts makes docs/benchmarks.md of docs/benchmarks.json
KAMAL_BIN (Kamal 2) and VEGETA_BIN name executables to compare with; a vegeta among the project's tools is found.`;

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    rounds: { type: "string", default: "2" },
    only: { type: "string", default: partNames.join(",") },
    memory: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});

if (values.help === true) process.stdout.write(`${usage}\n`);
else await main();

async function main(): Promise<void> {
  // Read first: a wrong file is to be told before six minutes of measuring.
  const memory = values.memory === undefined ? undefined : memoryOf(JSON.parse(readFileSync(values.memory, "utf8")));
  const { runs, rounds } = { runs: countOf("runs"), rounds: countOf("rounds") };
  const measured = await measure({ parts: partsOf(values.only), runs, rounds, say });
  const report = { ...measured, ...(memory && { memory }) };
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  process.stdout.write(`${reportTables(report)}\n`);
}

function countOf(option: "runs" | "rounds"): number {
  const count = Number(values[option]);
  if (!Number.isInteger(count) || count < 1)
    throw new Error(`--${option} must be a whole number from 1 on\n\n${usage}`);
  return count;
}

function partsOf(list: string): ReadonlySet<PartName> {
  const names = list.split(",");
  const isPart = (name: string): name is PartName => partNames.some((each) => each === name);
  const unknown = names.find((name) => !isPart(name));
  if (unknown !== undefined) throw new Error(`--only: there is no part "${unknown}"\n\n${usage}`);
  return new Set(names.filter(isPart));
}

/** Talk; the report alone goes to standard output. */
function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
