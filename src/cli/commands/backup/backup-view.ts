import type { BackupView } from "../../../agent/protocol/backup-views.ts";
import type { Result } from "../../../agent/protocol/methods.ts";
import type { Colors } from "../../output/colors.ts";
import { formatAge, formatBytes, formatDuration, formatMoment } from "../../output/quantities.ts";
import { describeOffsite } from "../backup-status-view.ts";
import { renderTable } from "../../output/table.ts";

type Listed = Result<"backup.list">;

/** The backups of an app, the newest first, and how its schedule stands. */
export function renderBackups(
  app: string,
  { backups, unreadable, status, policy }: Listed,
  colors: Colors,
  nowMs: number,
): string {
  const lines =
    backups.length === 0 ? [`${app} has no backup on its host.`] : [table(backups, colors, nowMs).trimEnd()];
  for (const id of unreadable) lines.push(colors.red(`${id} cannot be read: its manifest is gone or bad.`));
  if (policy === undefined) lines.push(`No policy is in force: set \`backup\` of ${app} and apply.`);
  if (status.nextMs !== undefined) lines.push(`The next one is taken at ${formatMoment(status.nextMs)}.`);
  if (status.overdueSinceMs !== undefined)
    lines.push(colors.red(`Overdue: a verified backup is missing since ${formatMoment(status.overdueSinceMs)}.`));
  if (status.lastFailure !== undefined)
    lines.push(
      colors.red(
        `The last attempt, ${formatAge(status.lastFailure.atMs, nowMs)}, failed: ${status.lastFailure.message}`,
      ),
    );
  if (status.offsite !== undefined) lines.push(`Elsewhere: ${describeOffsite(status.offsite, nowMs)}.`);
  return `${lines.join("\n")}\n`;
}

function table(backups: readonly BackupView[], colors: Colors, nowMs: number): string {
  return renderTable<BackupView>(
    [
      { title: "id", value: ({ id }) => id },
      { title: "database", value: ({ service, database }) => `${service}/${database}` },
      { title: "taken", value: ({ takenAtMs }) => formatAge(takenAtMs, nowMs) },
      { title: "size", value: ({ bytes }) => formatBytes(bytes), align: "right" },
      { title: "verified", value: (each) => proof(each, colors, nowMs) },
      { title: "deployment", value: ({ deployment }) => (deployment === undefined ? "" : `#${deployment}`) },
      { title: "why", value: ({ reason, pin }) => (pin === undefined ? reason : `${reason} (kept: ${pin})`) },
    ],
    backups.toSorted((a, b) => b.takenAtMs - a.takenAtMs),
  );
}

function proof({ verified, failed, damaged }: BackupView, colors: Colors, nowMs: number): string {
  if (damaged !== undefined) return colors.red(`damaged: ${damaged.message}`);
  if (verified === undefined) return colors.red(failed === undefined ? "no" : `no: ${failed.message}`);
  const since = failed === undefined ? "" : colors.red(`, not since: ${failed.message}`);
  return `${colors.green(verified.level)} ${formatAge(verified.atMs, nowMs)}${since}`;
}

/** One backup that was just taken or verified. */
export function renderProven({ id, service, database, bytes, tables, verified }: BackupView): string {
  const restore = verified?.restoreMs === undefined ? "" : `; a restore took ${formatDuration(verified.restoreMs)}`;
  return `${id}: ${service}/${database}, ${formatBytes(bytes)}, ${tables} tables, verified to "${verified?.level ?? "nothing"}"${restore}\n`;
}
