import {
  changesAnything,
  isNewDeployment,
  type DeployPlan,
  type DeployPlanEntry,
  type ServiceEffect,
} from "../../core/deployer/deploy-plan.ts";
import { planNotes } from "../../core/deployer/plan-notes.ts";
import type { PlannedChange, PlannedOperation } from "../../core/engine/plan.ts";
import type { Colors } from "./colors.ts";
import { shortDigest, shortReference } from "./quantities.ts";
import { shownWidth } from "./table.ts";

const secret = "[secret]";
/** A longer value is cut: the plan says that it changes, not all of what it is. */
const longestValue = 60;

const effectTitles: Readonly<Record<ServiceEffect, string>> = {
  starts: "starts",
  "starts-anew": "starts anew beside the old one, then takes over (no downtime)",
  "gives-way": "the old one stops first, then the new one starts",
  restarts: "restarts (short downtime)",
  stops: "stops",
  "keeps-running": "keeps running",
};

/** A plan as text: what happens to each part of each app, field by field, which services restart, what drifted. */
export function renderPlan(plan: DeployPlan, colors: Colors): string {
  const lines: string[] = [];
  let app: string | undefined;
  for (const entry of plan.entries) {
    const heading = entry.app ?? entry.name;
    if (heading !== app) lines.push(...(lines.length === 0 ? [] : [""]), colors.bold(heading));
    app = heading;
    lines.push(...renderEntry(entry, colors));
  }
  if (lines.length > 0) lines.push("");
  lines.push(...planNotes(plan).map((note) => `${colors.yellow("note")} ${note}`));
  lines.push(renderCounts(plan));
  return `${lines.join("\n")}\n`;
}

/** One resource: its line, then its fields, drift and services. */
export function renderEntry(entry: DeployPlanEntry, colors: Colors): string[] {
  const lines = [`  ${mark(entry.operation, colors)} ${entry.part}${headline(entry)}`];
  const isWhole = entry.operation === "create" || entry.operation === "delete";
  // Of a migration its files are told below, better than field by field.
  const changes = isWhole
    ? []
    : entry.changes.filter(({ path }) => entry.migrations === undefined || !/^files\b/.test(path));
  const width = Math.max(0, ...changes.map(({ path }) => shownWidth(path)));
  for (const change of changes) lines.push(`      ${change.path.padEnd(width)}  ${renderChange(change, colors)}`);
  for (const drift of entry.drift) lines.push(`      ${colors.yellow("drift")} ${drift}`);
  if (entry.driftUnknown) lines.push(`      ${colors.yellow("drift unknown")} (offline: the host was not asked)`);
  if (entry.unsigned)
    lines.push(`      ${colors.dim("not signed (`ikoma bundle sign`; docs/guides/signed-bundles.md)")}`);
  lines.push(...[...renderServices(entry), ...renderMigrations(entry, colors)].map((line) => `      ${line}`));
  return lines;
}

function headline(entry: DeployPlanEntry): string {
  const { part, operation } = entry;
  if (operation === "same") return ": unchanged";
  if (part === "release" && operation === "create") return ": first deployment";
  if (isNewDeployment(entry)) return ": new deployment";
  return `: ${operation}`;
}

function renderMigrations({ migrations, operation }: DeployPlanEntry, colors: Colors): string[] {
  if (migrations === undefined || operation === "same") return [];
  const at = migrations.at === undefined ? [] : [`in ${migrations.at}`];
  const runs = migrations.runs.flatMap(({ file, phase, findings }) => [
    `runs ${file} (${phase === "contract" ? colors.red(phase) : phase})`,
    ...findings.map((each) => `  ${each}`),
  ]);
  return [...at, ...runs];
}

function renderServices({ services }: DeployPlanEntry): string[] {
  const byEffect = new Map<ServiceEffect, string[]>();
  for (const [service, effect] of Object.entries(services)) {
    byEffect.set(effect, [...(byEffect.get(effect) ?? []), service]);
  }
  return [...byEffect].map(([effect, names]) => `${names.sort().join(", ")}: ${effectTitles[effect]}`);
}

/** A secret is only said to change: neither its values nor their lengths are in the plan. */
function renderChange({ kind, old, new: wanted }: PlannedChange, colors: Colors): string {
  if (old === secret || wanted === secret)
    return `${{ add: "added", delete: "removed", update: "changed" }[kind]} (secret)`;
  switch (kind) {
    case "add":
      return colors.green(wanted === undefined ? "added" : `added ${renderValue(wanted)}`);
    case "delete":
      return colors.red(old === undefined ? "removed" : `removed, was ${renderValue(old)}`);
    case "update":
      return `${colors.red(renderValue(old))} → ${colors.green(renderValue(wanted))}`;
  }
}

function renderValue(value: unknown): string {
  if (value === undefined) return "(not known yet)";
  if (typeof value === "string") return cut(quoted(shortReference(shortDigest(value))));
  if (Array.isArray(value)) return cut(`[${value.map(renderValue).join(", ")}]`);
  if (typeof value === "object" && value !== null) return `{${cut(Object.keys(value).sort().join(", "))}}`;
  return JSON.stringify(value);
}

/** Words that cannot be misread stand without quotes. */
function quoted(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : JSON.stringify(text);
}

function cut(text: string): string {
  return text.length <= longestValue ? text : `${text.slice(0, longestValue - 1)}…`;
}

function renderCounts(plan: DeployPlan): string {
  const isKnown = plan.entries.every((entry) => entry.driftUnknown === undefined);
  if (!changesAnything(plan))
    return isKnown ? "Nothing changes." : "Nothing changes, as far as is known: drift unknown.";
  const count = (operation: PlannedOperation): number =>
    plan.entries.filter((entry) => entry.operation === operation).length;
  const parts = [
    [count("create"), "to create"],
    [count("update"), "to update"],
    [count("replace"), "to replace"],
    [count("delete"), "to delete"],
    [count("same"), "unchanged"],
  ] as const;
  const told = parts.filter(([number]) => number > 0).map(([number, words]) => `${number} ${words}`);
  return `${plan.stack}: ${told.join(", ")}.`;
}

function mark(operation: PlannedOperation, colors: Colors): string {
  switch (operation) {
    case "create":
      return colors.green("+");
    case "update":
      return colors.yellow("~");
    case "replace":
      return colors.yellow("±");
    case "delete":
      return colors.red("-");
    case "same":
      return colors.dim("=");
  }
}
