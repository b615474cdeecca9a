import { readStackExports } from "../../core/deployer/deploy-exports.ts";
import { readExportedApps, type ExportedApp } from "../../core/deployer/deploy-outputs.ts";
import type { DeployProject } from "../../core/project/deploy-project.ts";
import type { Colors } from "../output/colors.ts";
import { formatAge, shortReference } from "../output/quantities.ts";
import { renderServices } from "./services-view.ts";

/** An environment as its last deploy left it. */
export interface ExportedStatus {
  readonly stack: string;
  /** When the state was written, in ms; how old all of this is. */
  readonly writtenAtMs: number | undefined;
  readonly apps: Readonly<Record<string, ExportedApp>>;
  /** Operations that a killed run left open; the next deploy settles them. */
  readonly pendingOperations: readonly string[];
}

/** Reads the exports of a stack. Nothing is asked of hosts, and with a `file://` backend nothing of the engine. */
export async function exportedStatus(project: DeployProject): Promise<ExportedStatus> {
  const { outputs, writtenAtMs, pendingOperations } = await readStackExports(project);
  return { stack: project.stackName, writtenAtMs, apps: readExportedApps(outputs), pendingOperations };
}

/** For people, with the age of what is told. */
export function renderExportedStatus(
  { stack, writtenAtMs, apps, pendingOperations }: ExportedStatus,
  colors: Colors,
  nowMs: number,
): string {
  const age = writtenAtMs === undefined ? "" : `, ${formatAge(writtenAtMs, nowMs)}`;
  const lines = [colors.dim(`${stack} as of the last deploy${age}; --live asks the hosts`)];
  if (Object.keys(apps).length === 0) lines.push("No app is deployed.");
  for (const [app, state] of Object.entries(apps)) lines.push("", ...renderApp(app, state, colors));
  if (pendingOperations.length > 0) {
    lines.push(
      "",
      `${colors.yellow("warning")} a run was killed in the middle; \`ikoma deploy apply\` settles what it left.`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function renderApp(
  app: string,
  { version, number, host, url, bundle, services }: ExportedApp,
  colors: Colors,
): string[] {
  const place = host === undefined ? "" : ` on ${host}`;
  return [
    `${colors.bold(app)} ${version}, deployment #${number}${place}`,
    ...(url === undefined ? [] : [`  ${url}`]),
    ...(bundle === undefined ? [] : [colors.dim(`  bundle ${shortReference(bundle)}`)]),
    ...renderServices(services, colors),
  ];
}
