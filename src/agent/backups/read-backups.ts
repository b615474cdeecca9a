import { open } from "node:fs/promises";
import type { BackupPolicy } from "../../core/backup/backup-policy.ts";
import { canonicalJson } from "../../core/canonical-json.ts";
import type { Host } from "../host.ts";
import { backupPieceBytes } from "../protocol/backup-views.ts";
import type { BackupFileName, BackupStatus } from "../protocol/backup-views.ts";
import type { PartView, Result } from "../protocol/methods.ts";
import type { Drift } from "../protocol/views.ts";
import { acceptedOf, newestOf } from "./accepted-backup.ts";
import type { AcceptedBackup } from "./accepted-backup.ts";
import type { BackupManifest } from "./backup-manifest.ts";
import { factsOf } from "./file-hash.ts";
import { viewOf } from "./backup-view.ts";
import { uncopied } from "./offsite/offsite-copies.ts";
import { graceMs } from "./patience.ts";
import { scheduleState } from "./scheduled-backups.ts";

/**
 * The policy that is in force and the backups that there are, held against what was applied: files that are gone or were
 * altered, backups that vanished, a schedule that is not kept. Files that nobody touched are not read again.
 */
export async function readBackupPart(
  host: Host,
  app: string,
  expected: BackupPolicy | undefined,
): Promise<Omit<PartView, "generation">> {
  const accepted = acceptedOf(host, app);
  if (accepted === undefined) return { exists: false, drift: [], services: {} };
  const backups = await host.backups.list(app);
  const newest = newestOf(accepted, backups);
  const view = { exists: true, services: {}, ...(newest !== undefined && { backup: viewOf(newest) }) };
  if (expected === undefined) return { ...view, drift: [] };
  const drift = [
    ...policyDrift(accepted, expected),
    ...missing(accepted, backups),
    ...(await faults(host, backups)),
    ...overdue(await statusOf(host, app, accepted, backups)),
    ...notCopied(host, app, uncopied(accepted, backups)),
  ];
  return { ...view, drift };
}

/** How the backups of an app stand; undefined without a policy. */
export async function readBackupStatus(host: Host, app: string): Promise<BackupStatus | undefined> {
  const accepted = acceptedOf(host, app);
  return accepted === undefined ? undefined : statusOf(host, app, accepted, await host.backups.list(app));
}

export async function listBackups(host: Host, app: string): Promise<Result<"backup.list">> {
  const accepted = acceptedOf(host, app);
  const [backups, unreadable] = await Promise.all([host.backups.list(app), host.backups.unreadable(app)]);
  return {
    backups: backups.map(viewOf),
    unreadable,
    status: accepted === undefined ? {} : await statusOf(host, app, accepted, backups),
    ...(accepted !== undefined && { policy: accepted.policy }),
  };
}

/** A piece of a backup's file; an empty one behind its end. */
export async function readBackupFile(
  host: Host,
  app: string,
  id: string,
  name: BackupFileName,
  offset: number,
): Promise<Result<"backup.read">> {
  const { files } = await host.backups.get(app, id);
  const path = host.backups.path(app, id, name);
  const whole = name === "manifest" ? await factsOf(path) : files[name];
  const file = await open(path);
  try {
    const piece = Buffer.alloc(backupPieceBytes);
    let filled = 0;
    for (let isMore = true; isMore && filled < piece.length;) {
      const { bytesRead } = await file.read(piece, filled, piece.length - filled, offset + filled);
      filled += bytesRead;
      isMore = bytesRead > 0;
    }
    return { data: piece.toString("base64", 0, filled), bytes: whole.bytes, sha256: whole.sha256 };
  } finally {
    await file.close();
  }
}

async function statusOf(
  host: Host,
  app: string,
  accepted: AcceptedBackup,
  backups: readonly BackupManifest[],
): Promise<BackupStatus> {
  const state = scheduleState(host, app, accepted, backups);
  const { lastFailure } = host.scheduledRuns.recordOf(app);
  const offsite = accepted.policy.offsite === undefined ? undefined : offsiteStatus(host, app, backups);
  const base = {
    ...(state.newestMs !== undefined && { newestMs: state.newestMs }),
    ...(lastFailure && { lastFailure }),
    ...(offsite !== undefined && { offsite }),
  };
  if (accepted.policy.schedule === undefined) return base;
  const { dueAt, overdueSince } = await import("./backup-schedule.ts");
  const nowMs = Date.now();
  const nextMs = dueAt(accepted.policy, state, nowMs);
  const overdueSinceMs = overdueSince(accepted.policy, state, nowMs);
  return { ...base, ...(nextMs !== undefined && { nextMs }), ...(overdueSinceMs !== undefined && { overdueSinceMs }) };
}

function policyDrift({ policy }: AcceptedBackup, expected: BackupPolicy): Drift[] {
  if (canonicalJson(policy) === canonicalJson(expected)) return [];
  return [{ path: "policy", message: "the host has another policy in force" }];
}

function missing({ known }: AcceptedBackup, backups: readonly BackupManifest[]): Drift[] {
  const gone = known.filter((id) => backups.every((each) => each.id !== id));
  return gone.map((id) => ({ path: "backups", message: `the backup ${id} is gone from the host, or cannot be read` }));
}

async function faults(host: Host, backups: readonly BackupManifest[]): Promise<Drift[]> {
  const found = await Promise.all(
    backups.map(async (each): Promise<Drift[]> => {
      // Known to be bad: it counts for nothing, and is no news.
      const fault = each.damaged === undefined ? await host.backups.fault(each) : undefined;
      return fault === undefined ? [] : [{ path: "backups", message: `the backup ${each.id}: ${fault}` }];
    }),
  );
  return found.flat();
}

function overdue({ overdueSinceMs, lastFailure }: BackupStatus): Drift[] {
  if (overdueSinceMs === undefined) return [];
  const why = lastFailure === undefined ? "" : `; the last attempt failed: ${lastFailure.message}`;
  const since = new Date(overdueSinceMs).toISOString();
  return [{ path: "schedule", message: `a backup of the schedule is missing since ${since}${why}` }];
}

function offsiteStatus(
  host: Host,
  app: string,
  backups: readonly BackupManifest[],
): NonNullable<BackupStatus["offsite"]> {
  const newestMs = backups.findLast((each) => each.offsite !== undefined)?.takenAtMs;
  const { lastFailure } = host.offsiteRuns.recordOf(app);
  return { ...(newestMs !== undefined && { newestMs }), ...(lastFailure && { lastFailure }) };
}

function notCopied(host: Host, app: string, backup: BackupManifest | undefined): Drift[] {
  if (backup?.verified === undefined || Date.now() - backup.verified.atMs <= graceMs) return [];
  const { lastFailure } = host.offsiteRuns.recordOf(app);
  const why = lastFailure === undefined ? "" : `: ${lastFailure.message}`;
  return [{ path: "offsite", message: `the backup ${backup.id} has no copy elsewhere${why}` }];
}
