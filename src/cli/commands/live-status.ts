import type { BackupStatus } from "../../agent/protocol/backup-views.ts";
import type { Result } from "../../agent/protocol/methods.ts";
import type { DeployProject } from "../../core/project/deploy-project.ts";
import { hostOf, readStackSettings, type StackSettings } from "../../core/project/deploy-stack-file.ts";
import { toIkomaError } from "../../core/errors.ts";
import { withAgent } from "../host-agent.ts";
import type { Colors } from "../output/colors.ts";
import { formatAge } from "../output/quantities.ts";
import { describeBackup } from "./backup-status-view.ts";
import { renderServices } from "./services-view.ts";

type LiveApp = Result<"app.status">["apps"][number];

/** An app as its host tells it now; `state` is missing where the host has none of it or did not answer. */
export interface LiveAppStatus {
  readonly host: string;
  readonly state?: LiveApp;
  /** Why the host did not answer. */
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string };
}

/** An environment as its hosts tell it. */
export interface LiveStatus {
  readonly stack: string;
  readonly apps: Readonly<Record<string, LiveAppStatus>>;
}

/** Asks every host of the environment, all at once. A host that does not answer is told, and hides no other. */
export async function liveStatus(project: DeployProject): Promise<LiveStatus> {
  const settings = await readStackSettings(project.stackFile);
  const apps = Object.entries(settings.apps);
  const byHost = new Map<string, Promise<LiveApp[]>>();
  for (const [app, { host }] of apps) if (!byHost.has(host)) byHost.set(host, askHost(settings, app));
  const told = await Promise.all(
    apps.map(async ([app, { host }]) => [app, await statusOf(app, host, byHost)] as const),
  );
  return { stack: project.stackName, apps: Object.fromEntries(told) };
}

async function askHost(settings: StackSettings, app: string): Promise<LiveApp[]> {
  const { apps } = await withAgent(hostOf(settings, app), (agent) => agent.call("app.status", {}));
  return apps;
}

async function statusOf(
  app: string,
  host: string,
  byHost: ReadonlyMap<string, Promise<LiveApp[]>>,
): Promise<LiveAppStatus> {
  try {
    const state = (await byHost.get(host))?.find((each) => each.app === app);
    return state === undefined ? { host } : { host, state };
  } catch (thrown) {
    const { code, message, hint } = toIkomaError(thrown);
    return { host, error: { code, message, hint } };
  }
}

/** For people. */
export function renderLiveStatus({ stack, apps }: LiveStatus, colors: Colors, nowMs: number): string {
  const lines = [colors.dim(`${stack}, as its hosts tell it now`)];
  if (Object.keys(apps).length === 0) lines.push("No app is configured.");
  for (const [app, status] of Object.entries(apps)) lines.push("", ...renderApp(app, status, colors, nowMs));
  return `${lines.join("\n")}\n`;
}

function renderApp(app: string, { host, state, error }: LiveAppStatus, colors: Colors, nowMs: number): string[] {
  const name = colors.bold(app);
  if (error !== undefined)
    return [
      `${name} on ${host}: ${colors.red(error.code)} ${error.message}`,
      `  ${colors.cyan("next")}: ${error.hint}`,
    ];
  if (state?.current === undefined) return [`${name} on ${host}: nothing is deployed`];
  const { current, operation, services } = state;
  const lines = [
    `${name} ${current.version}, deployment #${current.number} on ${host}, ${formatAge(current.startedAtMs, nowMs)} by ${current.by}`,
  ];
  if (operation !== undefined)
    lines.push(`  ${colors.yellow("under way")}: ${operation.kind}, phase ${operation.phase}, for ${operation.by}`);
  if (state.backup !== undefined)
    lines.push(`  ${backupTitle(state.backup, colors)}: ${describeBackup(state.backup, nowMs)}`);
  if (state.rebuilt !== undefined) lines.push(`  ${colors.yellow("note")}: ${state.rebuilt}`);
  return [...lines, ...renderServices(services, colors)];
}

function backupTitle({ overdueSinceMs, newestMs }: BackupStatus, colors: Colors): string {
  return overdueSinceMs === undefined && newestMs !== undefined ? colors.dim("backup") : colors.red("backup");
}
