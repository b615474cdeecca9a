import { readExportedApps, type ExportedApp } from "../../../core/deployer/deploy-outputs.ts";
import { changesAnything, isNewDeployment } from "../../../core/deployer/deploy-plan.ts";
import type { DeployRunResult } from "../../../core/deployer/deploy-run.ts";
import { formatDuration, shortReference } from "../../output/quantities.ts";
import type { KeptPin } from "./keep-edit.ts";

/** What a deploy ended with. */
export interface Applied {
  readonly stack: string;
  /** The app that it was restricted to. */
  readonly app: string | undefined;
  readonly result: DeployRunResult;
  readonly pin: KeptPin | undefined;
  readonly durationMs: number;
}

/** For programs: what runs now, what was done, what was pinned. */
export function appliedData({ stack, result, pin, durationMs }: Applied): Record<string, unknown> {
  const apps = readExportedApps(result.outputs);
  return {
    stack,
    changed: changesAnything(result.plan),
    apps,
    plan: result.plan.entries,
    pin,
    durationMs: Math.round(durationMs),
  };
}

/** For people: what runs now, what to commit, what can be done next. */
export function renderApplied({ stack, app: only, result, pin, durationMs }: Applied): string {
  const apps = Object.entries(readExportedApps(result.outputs)).filter(([app]) => only === undefined || app === only);
  const changed = new Set(result.plan.entries.filter(isNewRelease).map((entry) => entry.app));
  const lines = apps.map(([app, state]) => renderApp(app, state, changed.has(app)));
  const done = changesAnything(result.plan)
    ? `Applied in ${formatDuration(durationMs)}.`
    : `Nothing had to change (${formatDuration(durationMs)}).`;
  lines.push(done);
  if (pin?.isChanged === true) lines.push(`${pin.file} pins ${shortReference(String(pin.bundle))} now: commit it.`);
  lines.push(
    "",
    "next:",
    `  ikoma status -s ${stack} --live`,
    `  ikoma deploy rollback -s ${stack}${only === undefined ? "" : ` --app ${only}`}`,
  );
  return lines.join("\n");
}

function renderApp(app: string, { number, version, host, url }: ExportedApp, isNew: boolean): string {
  const place = [host === undefined ? "" : ` on ${host}`, url === undefined ? "" : `: ${url}`].join("");
  return `${app} ${version} ${isNew ? "serves now" : "serves as before"}, deployment #${number}${place}`;
}

function isNewRelease(entry: DeployRunResult["plan"]["entries"][number]): boolean {
  return (entry.part === "release" && entry.operation === "create") || isNewDeployment(entry);
}
