import { barsOf } from "./bars.ts";
import type { BenchLoad, BenchmarkReport, GeneratorCheck, GeneratorSide, LoadRow, Spread } from "./benchmark-report.ts";
import { tolerances } from "./tolerances.ts";

/** The report's tables, for the terminal and the document alike. */
export function reportTables(report: BenchmarkReport): string {
  const sections = [
    machineSection(report),
    section("Bars", barsTable(report)),
    report.commands && section("Commands", commandsTable(report.commands)),
    report.underLoad && section("The same change under load", loadTable(report.underLoad)),
    report.generator && section("The load generator", generatorSection(report.generator)),
    report.memory && section("Memory", memoryTable(report.memory)),
    report.skipped.length > 0 && section("Not measured in this run", skippedList(report.skipped)),
  ];
  return sections.filter((each) => typeof each === "string").join("\n\n");
}

function section(title: string, text: string): string {
  return `## ${title}\n\n${text}`;
}

function machineSection({ takenOn, commit, machine }: BenchmarkReport): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  const loads = `load ${machine.loadAtStart.join(" ")} at the start, ${machine.loadAtEnd.join(" ")} at the end`;
  const idle = `${percent(machine.idleAtStart)} of the processors idle before the first measurement`;
  return `Taken on ${takenOn} of commit \`${commit}\`, in one run: ${machine.cores} cores and ${machine.memoryGiB} GiB, shared by the measured server, the commands and the load; ${loads}; ${idle}. ${versions.join(", ")}.`;
}

function barsTable(report: BenchmarkReport): string {
  const rows = barsOf(report).map(({ what, bar, measured, isMet }) => [
    what,
    bar,
    measured ?? "not measured in this run",
    isMet === undefined ? "–" : isMet ? "met" : "**missed**",
  ]);
  return table(["what", "bar", "measured", ""], rows);
}

function commandsTable(commands: Readonly<Record<string, Spread>>): string {
  const ours = commands["deploy"];
  const rows = Object.entries(commands).map(([name, spread]) => [
    name,
    ...[spread.min, spread.median, spread.max].map((each) => String(Math.round(each))),
    String(spread.samples.length),
    name.startsWith("deploy by ") && ours !== undefined ? `${(spread.median / ours.median).toFixed(1)} × ikoma's` : "",
  ]);
  return table(["whole process, no load", "min ms", "median ms", "max ms", "runs", "ratio of medians"], rows);
}

function loadTable(all: readonly LoadRow[]): string {
  const rows = all.map((row) => {
    const steady = all.find((each) => sameWay(each, row) && !each.isChange);
    const ratio =
      row.isChange && steady !== undefined ? ` (${(row.latencyMs.p99 / steady.latencyMs.p99).toFixed(1)} ×)` : "";
    return [
      nameOf(row.load),
      row.isChange ? `${row.roller}, a change` : `${row.roller}, no change`,
      `${row.failed} of ${row.sent}`,
      row.failingMs === 0 ? "0" : `${(row.failingMs / 1000).toFixed(1)} s`,
      told(row.latencyMs.p50),
      `${told(row.latencyMs.p99)}${ratio}`,
      told(row.latencyMs.max),
      row.changeMs === undefined ? "" : `${(row.changeMs.median / 1000).toFixed(1)} s`,
      told(row.lagP99Ms),
    ];
  });
  const header = [
    "load",
    "way",
    "failed",
    "failing for",
    "p50 ms",
    "p99 ms",
    "max ms",
    "command took",
    "generator late, p99 ms",
  ];
  return `${table(header, rows)}${failureKinds(all)}`;
}

function failureKinds(rows: readonly LoadRow[]): string {
  const lines = rows
    .filter(({ failed }) => failed > 0)
    .map(({ load, roller, isChange, failures }) => {
      const kinds = Object.entries(failures).map(([kind, count]) => `${count} ${kind}`);
      return `- ${nameOf(load)}, ${roller}, ${isChange ? "a change" : "no change"}: ${kinds.join(", ")}`;
    });
  return lines.length === 0 ? "" : `\n\nWhat failed:\n\n${lines.join("\n")}`;
}

/** What the two generators and the server say of each other. */
export function generatorSection({ vegeta, wasCompared, trials }: GeneratorCheck): string {
  const rows = trials.flatMap(({ load, own, vegeta: other }) => [
    sideRow(load, "own", own),
    ...(other === undefined ? [] : [sideRow(load, "vegeta", other)]),
  ]);
  const header = [
    "load",
    "generator",
    "a second, by the server",
    "sent",
    "served",
    "counted failed",
    "really failed",
    "p50 ms",
    "p99 ms",
  ];
  const problems = trials.flatMap((trial) => trial.problems.map((each) => `- ${nameOf(trial.load)}: ${each}`));
  const verdict =
    problems.length === 0
      ? `All within the tolerances${wasCompared ? "" : ", with the server alone"}.`
      : `Outside the tolerances:\n\n${problems.join("\n")}`;
  const { ratePercent, p50Ms, p99Ms } = tolerances;
  return `Both against a server on loopback that fails each 50th request (503 over kept connections, a reset over new ones) and answers each 10th of the others 20 ms late. Tolerances: rate within ${ratePercent} %, failed and served exactly what the server says, between the two p50 within ${p50Ms} ms and p99 within ${p99Ms} ms. vegeta: ${vegeta}.

${table(header, rows)}

${verdict}`;
}

function sideRow(load: BenchLoad, name: string, side: GeneratorSide): string[] {
  const { achievedPerSecond, sent, served, failed, failedByServer, p50Ms, p99Ms } = side;
  const counts = [sent, served, failed, failedByServer].map(String);
  return [nameOf(load), name, achievedPerSecond.toFixed(1), ...counts, told(p50Ms), told(p99Ms)];
}

function memoryTable({ looks, sent, failed, deployMs }: NonNullable<BenchmarkReport["memory"]>): string {
  const rows = looks.map(({ deploys, agentMiB, edgeMiB, totalMiB }) => [
    String(deploys),
    ...[agentMiB, edgeMiB, totalMiB].map((each) => each.toFixed(1)),
  ]);
  const deployed = `A run of its own: ${deployMs.samples.length} deploys by the agent alone, ms each: ${told(deployMs.min)} / ${told(deployMs.median)} / ${told(deployMs.max)} (min / median / max)`;
  return `${table(["deploys", "agent MiB", "edge MiB", "both MiB"], rows)}\n\n${deployed}; ${failed} of ${sent} requests failed meanwhile.`;
}

function skippedList(skipped: BenchmarkReport["skipped"]): string {
  return skipped.map(({ what, why }) => `- ${what}: ${why}`).join("\n");
}

function sameWay(a: LoadRow, b: LoadRow): boolean {
  return a.roller === b.roller && nameOf(a.load) === nameOf(b.load);
}

function nameOf({ ratePerSecond, mode }: BenchLoad): string {
  return mode === "keep-alive" ? `${ratePerSecond}/s, kept connections` : `${ratePerSecond} new connections/s`;
}

function told(ms: number): string {
  return ms < 100 ? ms.toFixed(1) : String(Math.round(ms));
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
