import { Cron } from "croner";
import { graceMs, retryPauseMs } from "./patience.ts";
import { cronOf } from "../../core/backup/cron-expression.ts";
import type { BackupPolicy } from "../../core/backup/backup-policy.ts";

const dayMs = 24 * 60 * 60_000;

/** What is known of the runs of a schedule. Times are in ms of the host's clock. */
export interface ScheduleState {
  /** When the policy came into force. */
  readonly sinceMs: number;
  /** The newest proven backup. */
  readonly newestMs: number | undefined;
  /** Runs that failed since the last one that did not. */
  readonly failures: number;
  readonly lastFailureMs: number | undefined;
}

type Schedule = Pick<BackupPolicy, "schedule" | "timeZone">;

/** The first moment after `afterMs` that the schedule names; undefined without a schedule. */
export function nextAfter({ schedule, timeZone }: Schedule, afterMs: number): number | undefined {
  const cron = schedule === undefined ? undefined : cronOf(schedule);
  if (cron === undefined) return undefined;
  return new Cron(cron, { timezone: timeZone }).nextRun(new Date(afterMs))?.getTime();
}

/**
 * When the next backup is to be taken. However many moments have passed while the host was off, it is one: what counts
 * is the first after the newest proven backup. A clock that was put back does not hold it up.
 */
export function dueAt(schedule: Schedule, state: ScheduleState, nowMs: number): number | undefined {
  const planned = nextAfter(schedule, lastOf(state, nowMs));
  if (planned === undefined || state.lastFailureMs === undefined || state.failures === 0) return planned;
  const retry = state.lastFailureMs > nowMs ? planned : state.lastFailureMs + retryPauseMs(state.failures);
  return Math.max(planned, retry);
}

/** Since when a backup of the schedule is missing; undefined while none is, or it may still be on its way. */
export function overdueSince(schedule: Schedule, state: ScheduleState, nowMs: number): number | undefined {
  const planned = nextAfter(schedule, lastOf(state, nowMs));
  return planned !== undefined && nowMs - planned > graceMs ? planned : undefined;
}

/** What the schedule counts from: the newest proven backup, or the policy's beginning while there is none. */
function lastOf({ sinceMs, newestMs }: ScheduleState, nowMs: number): number {
  const last = newestMs ?? sinceMs;
  // The clock was put back: what is taken for one day old is caught up once.
  return last <= nowMs ? last : nowMs - dayMs;
}
