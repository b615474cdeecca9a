import { toIkomaError } from "../../core/errors.ts";
import type { Host } from "../host.ts";
import { holdAt } from "../operations/operation-context.ts";
import type { OperationRunner } from "../operations/operation-runner.ts";
import { acceptedOf, newestOf, settleBackups } from "./accepted-backup.ts";
import type { AcceptedBackup } from "./accepted-backup.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import type { ScheduleState } from "./backup-schedule.ts";
import type { BackupTask } from "./backup-task.ts";
import { provenBackup } from "./ensure-backup.ts";
import { Leftovers } from "./leftovers.ts";
import { copyWhatIsMissing } from "./offsite/offsite-copies.ts";

const lookEveryMs = 10_000;

/**
 * Looks now and then which app's backup is due, and takes it. A deploy comes first: none is begun while one is under
 * way, and one that is under way is broken off for it and caught up later (docs/adr/0016).
 */
export function startScheduledBackups(host: Host, runner: OperationRunner): void {
  const uncleared = host.backups.apps().then((apps) => new Map(apps.map((app) => [app, new Leftovers(host, app)])));
  const look = async (): Promise<void> => {
    const left = await uncleared;
    for (const app of left.keys()) clear(runner, app, left);
    await lookOnce(host, runner);
    await copyWhatIsMissing(host, runner);
  };
  const tell = (error: unknown): void => {
    host.log.error({ reason: String(error) }, "the schedule of backups could not be looked at; it is tried again");
  };
  look().catch(tell);
  setInterval(() => {
    look().catch(tell);
  }, lookEveryMs).unref();
}

/** Takes away what an agent that died has left of an app's backups; tried again while the database does not answer. */
function clear(runner: OperationRunner, app: string, left: Map<string, Leftovers>): void {
  if (isTaken(runner, app)) return;
  void runner.inTurn(app, async () => {
    if (await left.get(app)?.clear()) left.delete(app);
  });
}

/** Resolves when every backup that is due now was begun; an app that is busy is left for the next look. */
export async function lookOnce(host: Host, runner: OperationRunner): Promise<void> {
  for (const app of host.parts.apps()) {
    const accepted = acceptedOf(host, app);
    if (accepted?.policy.schedule === undefined || isTaken(runner, app)) continue;
    if (!(await isDue(host, app, accepted))) continue;
    const signal = host.scheduledRuns.begin(app);
    if (signal === undefined) continue;
    void runner.inTurn(app, () => run(host, app, accepted, signal));
  }
}

function isTaken(runner: OperationRunner, app: string): boolean {
  return runner.isBusy(app) || runner.leases.held().some((lease) => lease.app === app);
}

async function isDue(host: Host, app: string, accepted: AcceptedBackup): Promise<boolean> {
  const [{ dueAt }, backups] = await Promise.all([import("./backup-schedule.ts"), host.backups.list(app)]);
  const nowMs = Date.now();
  const due = dueAt(accepted.policy, scheduleState(host, app, accepted, backups), nowMs);
  return due !== undefined && due <= nowMs;
}

/** What the schedule goes by. */
export function scheduleState(
  host: Host,
  app: string,
  accepted: AcceptedBackup,
  backups: readonly BackupManifest[],
): ScheduleState {
  const { failures, lastFailure } = host.scheduledRuns.recordOf(app);
  const newestMs = newestOf(accepted, backups)?.takenAtMs;
  return { sinceMs: accepted.sinceMs, newestMs, failures, lastFailureMs: lastFailure?.atMs };
}

async function run(host: Host, app: string, { policy, service }: AcceptedBackup, signal: AbortSignal): Promise<void> {
  const log = (name: string, message: string): void => {
    host.log.info({ app, name }, message);
  };
  const task: BackupTask = { signal, enter: (phase) => holdAt(host, phase, signal), step: log, warn: log };
  try {
    signal.throwIfAborted();
    await provenBackup(host, { app, service, reason: "by the schedule" }, policy.level, task);
    host.scheduledRuns.succeeded(app);
    await settleBackups(host, app);
  } catch (error) {
    if (signal.aborted) log("schedule", "broken off for a deploy; it is caught up later");
    else fail(host, app, toIkomaError(error).message);
  } finally {
    host.scheduledRuns.ended(app);
  }
}

function fail(host: Host, app: string, message: string): void {
  host.scheduledRuns.failed(app, Date.now(), message);
  host.log.error({ app, reason: message }, "a backup of the schedule failed; it is tried again");
}
