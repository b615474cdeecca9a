import type { ReadReport } from "../engine/engine-run.ts";
import type { OperationEvent } from "../../agent/protocol/wire.ts";
import type { EngineEvent } from "../engine/engine-event.ts";
import type { ProgramLoader } from "../engine/language-server.ts";
import { targeted } from "./deploy-run.ts";
import type { DeployProject } from "../project/deploy-project.ts";
import { driftReport, type DriftReport } from "./drift-report.ts";

/** One comparison of a stack with its hosts. */
export interface DriftRun {
  readonly project: DeployProject;
  /** Never run: only what is in the state is compared. The engine wants to know it all the same. */
  readonly program: ProgramLoader;
  /** Read only this app's resources. */
  readonly onlyApp: string | undefined;
  readonly signal: AbortSignal;
  readonly onEvent: (event: EngineEvent) => void;
  readonly onProviderEvent: (urn: string, event: OperationEvent) => void;
}

/**
 * Reads what really runs of everything that the stack's state has, on all hosts, and changes neither of them. It takes
 * no lock and minds none: a deploy that is under way shows as far as it has come.
 *
 * @throws STACK_NOT_FOUND where nothing was ever deployed; not for a host that cannot be read
 */
export async function runDrift(run: DriftRun): Promise<DriftReport> {
  const { runEngineOnce } = await import("../engine/engine-run.ts");
  const { project, program, signal, onEvent, onProviderEvent, onlyApp } = run;
  const reads = new Map<string, ReadReport>();
  await runEngineOnce({
    workDir: project.folder,
    stackName: project.stackName,
    operation: "drift",
    program,
    signal,
    onEvent,
    onProviderEvent,
    onRead: (report) => reads.set(report.urn, report),
    ...(onlyApp !== undefined && { env: targeted(onlyApp) }),
  });
  return driftReport(project.stackName, [...reads.values()]);
}
