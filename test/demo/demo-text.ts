import { formatDuration } from "../../src/cli/output/quantities.ts";
import { renderTable } from "../../src/cli/output/table.ts";
import type { DemoReport, PlainReport, ReportStep, WindowRow } from "./demo-report.ts";

/** The result for people, at most 80 columns wide. */
export function renderReport(report: DemoReport): string {
  return [
    renderSteps(report),
    "unexpected: answers from a version that may not serve at that time",
    "lost: writes that were acknowledged and are not in PostgreSQL",
    ...renderGoneBad(report),
    "",
    ...renderLoad(report),
    "",
    ...renderSwitch(report),
    ...renderPlain(report.plainCompose),
    "",
    ...renderVerdict(report),
  ].join("\n");
}

function renderSteps({ steps, total }: DemoReport): string {
  const rows: ReportStep[] = [...steps, { name: "under load, in all", durationMs: total.durationMs, load: total }];
  const figure = (value: number | undefined): string => value?.toLocaleString("en") ?? "-";
  return renderTable<ReportStep>(
    [
      { title: "step", value: ({ name }) => name },
      { title: "time", value: ({ durationMs }) => formatDuration(durationMs), align: "right" },
      { title: "requests", value: ({ load }) => figure(load?.sent), align: "right" },
      { title: "failed", value: ({ load }) => figure(load?.failed), align: "right" },
      { title: "unexpected", value: ({ load }) => figure(load?.unexpected), align: "right" },
      { title: "lost", value: ({ load }) => figure(load?.lost), align: "right" },
      { title: "runs", value: ({ serving }) => serving?.version ?? "" },
    ],
    rows,
  );
}

function renderLoad({ ratesPerSecond, total, answers, failures, latencyMs, generatorLagMs }: DemoReport): string[] {
  const { keptAlive, newConnections, orders } = ratesPerSecond;
  const versions = Object.entries(answers).map(([version, count]) => `${version} ${count.toLocaleString("en")}`);
  return [
    `load a second: ${keptAlive} GET kept alive, ${newConnections} GET on new connections, ${orders} POST; no retries`,
    `answers: ${versions.join(", ")}; ${total.acknowledgedWrites.toLocaleString("en")} orders acknowledged`,
    ...describeFailures(failures),
    `latency: p50 ${ms(latencyMs.p50)}, p99 ${ms(latencyMs.p99)}, at most ${ms(latencyMs.max)}`,
    `the load itself was late by p99 ${ms(generatorLagMs.p99)}, at most ${ms(generatorLagMs.max)}`,
  ];
}

function renderSwitch({ switchToV2 }: DemoReport): string[] {
  if (switchToV2 === undefined) return [];
  return ["Requests per 100 ms around the first answer of v2 (^):", ...renderRow(switchToV2), ""];
}

function renderPlain({ durationMs, sent, failed, failures, failingMs, replacement }: PlainReport): string[] {
  const loss = `lost ${failed.toLocaleString("en")} of ${sent.toLocaleString("en")} requests, over ${formatDuration(failingMs)}`;
  return [
    "For comparison, v1 to v2 by plain `docker compose up -d` on the same server",
    `under the same load: ${formatDuration(durationMs)}, ${loss}`,
    ...describeFailures(failures),
    "Requests per 100 ms around its first failure (^):",
    ...renderRow(replacement),
  ];
}

function renderRow({ middle, windows }: WindowRow): string[] {
  const width = Math.max(...windows.map(({ sent }) => String(sent).length)) + 1;
  const cells = (values: readonly number[]): string => values.map((value) => String(value).padStart(width)).join("");
  return [
    `  sent   ${cells(windows.map(({ sent }) => sent))}`,
    `  failed ${cells(windows.map(({ failed }) => failed))}`,
    `         ${"^".padStart(width * (middle + 1))}`,
  ];
}

function renderGoneBad({ answeredBadly, switchBackMs }: DemoReport): string[] {
  if (answeredBadly === 0) return [];
  return [
    `v4 passed every check and then answered ${answeredBadly.toLocaleString("en")} requests with 500: these are all that failed.`,
    `It was switched back from by itself; v2 served again ${switchBackMs} ms after the verdict.`,
  ];
}

function renderVerdict({ ok, problems, total, answeredBadly }: DemoReport): string[] {
  const but = answeredBadly === 0 ? "" : `but those ${answeredBadly.toLocaleString("en")} of v4 `;
  if (ok)
    return [
      `OK: of ${total.sent.toLocaleString("en")} requests none ${but}failed, none was misled, none of the writes was lost.`,
    ];
  return ["NOT OK:", ...problems.map((problem) => `  ${problem}`)];
}

function describeFailures(failures: Readonly<Record<string, number>>): string[] {
  return Object.entries(failures).map(([kind, count]) => `  failed by ${kind}: ${count.toLocaleString("en")}`);
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
