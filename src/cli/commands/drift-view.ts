import type { DriftDifference, DriftReport, DriftUnknown } from "../../core/deployer/drift-report.ts";
import type { Colors } from "../output/colors.ts";
import { renderTable } from "../output/table.ts";

/** A drift report for people: a table of what differs and what an apply would do, and below it what is unknown. */
export function renderDrift(report: DriftReport, colors: Colors): string {
  const { stack, state, checked, differences, unreadable } = report;
  const lines = differences.length === 0 ? [] : [differenceTable(differences, colors).trimEnd()];
  for (const resources of byReason(unreadable)) lines.push(...renderUnknown(resources, colors));
  if (lines.length > 0) lines.push("");
  const resources = `${checked} resource${checked === 1 ? "" : "s"}`;
  const known = `${resources} of ${stack} compared`;
  if (state === "clean" && checked === 0)
    lines.push(`Nothing of ${stack} was applied yet: there is nothing to compare.`);
  else if (state === "clean") lines.push(`${colors.green("no drift")}: ${known}, all as they were applied.`);
  else if (state === "unknown")
    lines.push(`${colors.yellow("unknown")}: ${known}, none differs; the rest cannot be read.`);
  else {
    const count = `${differences.length} difference${differences.length === 1 ? "" : "s"}`;
    lines.push(`${colors.yellow("drift")}: ${count}; ${known}.`, "", "next:", `  ikoma deploy apply -s ${stack}`);
  }
  return lines.join("\n");
}

function differenceTable(differences: readonly DriftDifference[], colors: Colors): string {
  return renderTable<DriftDifference>(
    [
      { title: "host", value: ({ host }) => host },
      { title: "app", value: ({ app }) => app ?? "-" },
      { title: "resource", value: ({ part }) => part },
      { title: "path", value: ({ path }) => (path === "" ? "-" : path) },
      { title: "difference", value: (each) => colors.yellow(withShortDigests(each.message)) },
      { title: "apply", value: ({ repair }) => repair },
    ],
    differences,
  );
}

/** One line of a host that is away, not one for each of its resources. */
function byReason(unreadable: readonly DriftUnknown[]): DriftUnknown[][] {
  return [...Map.groupBy(unreadable, ({ host, code, message }) => `${host} ${code} ${message}`).values()];
}

function renderUnknown(resources: readonly DriftUnknown[], colors: Colors): string[] {
  const [first] = resources;
  if (first === undefined) return [];
  const names = resources.map(({ app, part }) => (app === undefined ? part : `${app}'s ${part}`));
  return [
    `${first.host}: ${colors.yellow("unknown")}: cannot be read (${names.join(", ")})`,
    `  ${colors.red(first.code)} ${first.message}`,
    `  ${colors.cyan("next")}: ${first.hint}`,
  ];
}

/** A digest in the middle of a sentence, as people compare them. */
function withShortDigests(text: string): string {
  return text.replaceAll(/(sha256:[0-9a-f]{12})[0-9a-f]{52}/g, "$1");
}
