import type { BackupStatus } from "../../agent/protocol/backup-views.ts";
import { formatAge, formatMoment } from "../output/quantities.ts";

/** How the backups of an app stand, in one line. */
export function describeBackup(status: BackupStatus, nowMs: number): string {
  const { newestMs, nextMs, overdueSinceMs, lastFailure, offsite } = status;
  const newest = newestMs === undefined ? "no verified backup" : `verified backup ${formatAge(newestMs, nowMs)}`;
  const next = nextMs === undefined ? "" : `, the next at ${formatMoment(nextMs)}`;
  const overdue = overdueSinceMs === undefined ? "" : `, OVERDUE since ${formatMoment(overdueSinceMs)}`;
  const failed = lastFailure === undefined ? "" : `; the last attempt failed: ${lastFailure.message}`;
  const elsewhere = offsite === undefined ? "" : `; ${describeOffsite(offsite, nowMs)}`;
  return `${newest}${overdue === "" ? next : overdue}${failed}${elsewhere}`;
}

/** How its copies elsewhere stand. */
export function describeOffsite(
  { newestMs, lastFailure }: NonNullable<BackupStatus["offsite"]>,
  nowMs: number,
): string {
  const newest = newestMs === undefined ? "no copy elsewhere" : `copied elsewhere as of ${formatAge(newestMs, nowMs)}`;
  return lastFailure === undefined ? newest : `${newest}, the last attempt failed: ${lastFailure.message}`;
}
