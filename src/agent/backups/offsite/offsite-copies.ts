import type { Host } from "../../host.ts";
import type { OperationRunner } from "../../operations/operation-runner.ts";
import { redactor } from "../../../core/redaction.ts";
import { acceptedOf, newestOf } from "../accepted-backup.ts";
import type { AcceptedBackup } from "../accepted-backup.ts";
import type { BackupManifest } from "../backup-manifest.ts";
import { retryPauseMs } from "../patience.ts";

/** The backup that has to be copied: the newest proven one, unless it was. */
export function uncopied(accepted: AcceptedBackup, backups: readonly BackupManifest[]): BackupManifest | undefined {
  if (accepted.policy.offsite === undefined) return undefined;
  const newest = newestOf(accepted, backups);
  return newest?.offsite === undefined ? newest : undefined;
}

/**
 * Begins the copies that are missing, one an app at a time. They only read what does not change any more, so nothing
 * waits for them and they wait for nothing.
 */
export async function copyWhatIsMissing(host: Host, runner: OperationRunner): Promise<void> {
  for (const app of host.parts.apps()) {
    const accepted = acceptedOf(host, app);
    if (accepted?.policy.offsite === undefined) continue;
    const { failures, lastFailure } = host.offsiteRuns.recordOf(app);
    if (lastFailure !== undefined && Date.now() < lastFailure.atMs + retryPauseMs(failures)) continue;
    const backup = uncopied(accepted, await host.backups.list(app));
    if (backup === undefined || host.offsiteRuns.begin(app) === undefined) continue;
    void copy(host, runner, backup, accepted);
  }
}

async function copy(
  host: Host,
  runner: OperationRunner,
  { app, id }: BackupManifest,
  { policy: { offsite }, offsiteSecret = "" }: AcceptedBackup,
): Promise<void> {
  try {
    if (offsite === undefined) return;
    const { copyOffsite, offsiteKey } = await import("./copy-offsite.ts");
    const backup = await host.backups.get(app, id);
    await copyOffsite(host, backup, offsite, offsiteSecret);
    const to = `${offsite.endpoint} ${offsite.bucket}/${offsiteKey(offsite, backup)}`;
    await runner.inTurn(app, async () => {
      await host.backups.update({ ...(await host.backups.get(app, id)), offsite: { atMs: Date.now(), to } });
    });
    host.offsiteRuns.succeeded(app);
    host.log.info({ app, id }, "copied a backup elsewhere");
  } catch (error) {
    const message = redactor([offsiteSecret])(error instanceof Error ? error.message : String(error));
    host.offsiteRuns.failed(app, Date.now(), message);
    host.log.error({ app, id, reason: message }, "a backup could not be copied elsewhere; it is tried again");
  } finally {
    host.offsiteRuns.ended(app);
  }
}
