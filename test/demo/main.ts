// The demo behind scripts/demo, which installs and builds first. Usage: node test/demo/main.ts [--keep] [--json] | --down
import process from "node:process";
import { parseArgs } from "node:util";
import { formatDuration } from "../../src/cli/output/quantities.ts";
import { clearEarlierDemo, refuseSecondDemo, takeDownLab } from "./demo-lab.ts";
import { buildReport, type DemoReport } from "./demo-report.ts";
import { renderReport } from "./demo-text.ts";
import { runDemo, type DemoRun } from "./demo.ts";
import { StepLines } from "./step-lines.ts";

const interruptedCode = 130;

const { values } = parseArgs({
  options: { keep: { type: "boolean" }, json: { type: "boolean" }, down: { type: "boolean" } },
});
const keep = values.keep === true;
const stopper = new AbortController();
const lines = new StepLines(process.stderr, stopper.signal);

try {
  await refuseSecondDemo();
  if (values.down === true) await lines.run("take down what was kept", takeDownLab);
  else process.exitCode = await demonstrate();
} catch (error) {
  lines.say(`error: ${messageOf(error)}`);
  process.exitCode = 1;
}

async function demonstrate(): Promise<number> {
  await clearEarlierDemo();
  listenForSignals();
  const { signal } = stopper;
  try {
    const run = await runDemo({ keep, lines, signal });
    const report = buildReport(run);
    print(report);
    if (keep) lines.say(nextCommands(run));
    return report.ok ? 0 : 1;
  } catch (error) {
    if (signal.aborted) return interruptedCode;
    lines.say(`\nerror: ${messageOf(error)}`);
    if (keep) lines.say("What was brought up is still there; to take it down: scripts/demo --down");
    return 1;
  } finally {
    if (!keep || signal.aborted) await lines.run("take everything down", takeDownLab);
    lines.say(`in all ${formatDuration(Date.now() - startedAtMs())}`);
  }
}

/** The first signal ends the step that runs and takes everything down, a second one leaves at once. */
function listenForSignals(): void {
  const stop = (name: NodeJS.Signals): void => {
    if (stopper.signal.aborted) process.exit(interruptedCode);
    lines.say(`\n${name}: stopping, and taking everything down; once more leaves at once`);
    stopper.abort(new Error("interrupted"));
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, stop);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function print(report: DemoReport): void {
  lines.say("");
  process.stdout.write(`${values.json === true ? JSON.stringify(report, undefined, 2) : renderReport(report)}\n`);
}

function nextCommands({ lab, project }: DemoRun): string {
  return `
The shop serves at http://${lab.vps.address}/ . To try more:
  . ${project.environmentFile}
  ikoma status --live
  ikoma deploy history
  ikoma deploy rollback
  ikoma deploy plan --bundle ${lab.registry}/demo/shop-bundle:v2
  ikoma deploy apply --bundle ${lab.registry}/demo/shop-bundle:v2
  ikoma host status
Take it down: scripts/demo --down`;
}

/** Of the script, where it was started by that: setting up and building count too. */
function startedAtMs(): number {
  return Number(process.env["IKOMA_DEMO_STARTED_AT_MS"] ?? performance.timeOrigin);
}
