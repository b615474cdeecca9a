import { IkomaError } from "../core/errors.ts";
import { removeThrowaways } from "./backups/throwaway-server.ts";
import { edgeView } from "./edge-from-ledger.ts";
import type { Host } from "./host.ts";
import type { JournalEntry } from "./ledger/journal.ts";
import { partOf } from "./operations/catalogue.ts";
import { reattachToCurrent } from "./operations/accessories/accessory-networks.ts";
import { removeMigrationRun } from "./operations/migration/run-command.ts";
import { bringBack, findStoodDown } from "./operations/upkeep/bring-back.ts";
import { retireOthers } from "./operations/upkeep/converge.ts";
import { toWire } from "./operations/wire-error.ts";
import { servicesOf } from "./reading/read-release.ts";

const interruptedBackupHint =
  "What it had begun is cleared away, or was finished in that moment: see `ikoma backup list`, and run the same command again.";

/**
 * After a start (first, crash, reboot): ends what the crash cut off, then makes edge and containers
 * match the ledger. An operation counts as done exactly if the ledger says that its deployment is the
 * current one, so nothing needs to be guessed from how far it had come.
 */
export async function recover(host: Host): Promise<void> {
  for (const entry of host.journal.running()) await endInterrupted(host, entry);
  host.deployments.failStarted("The agent was restarted.");
  await host.edge.persist(() => edgeView(host));
  await host.edge.ensure(() => edgeView(host));
  await host.records.keepAll();
  await removeThrowaways(host).catch((error: unknown) => {
    host.log.error({ reason: String(error) }, "what verifications have left could not be removed");
  });
  await Promise.all(
    host.parts.apps().map((app) =>
      // One app that does not come up must not keep the agent from serving the others; the sweep goes on trying.
      recoverApp(host, app).catch((error: unknown) => {
        host.log.error({ app, reason: String(error) }, "the app could not be set right after the start");
      }),
    ),
  );
}

async function recoverApp(host: Host, app: string): Promise<void> {
  await findStoodDown(host, app);
  await bringBack(host, app);
  await reattachToCurrent(host, app);
  // Draining may take as long as an app allows; nothing else has to wait for it.
  void retireOthers(host, app).catch((error: unknown) => {
    host.log.error({ app, reason: String(error) }, "clean-up after the start failed");
  });
}

async function endInterrupted(host: Host, entry: JournalEntry): Promise<void> {
  const { app, key, kind, number } = entry;
  const part = partOf(kind);
  const current = host.deployments.current(app);
  if (kind === "release.apply" && number !== undefined && current?.number === number) {
    const result = { number, digest: current.digest, unchanged: false, services: await servicesOf(host, app) };
    host.journal.atOnce(() => {
      host.journal.succeed(key, result, host.parts.advance(app, part));
    });
    host.log.info({ app, number }, "finished a deployment that a restart had cut off");
    return;
  }
  if (kind === "migration.command")
    await removeMigrationRun(host, app).catch((error: unknown) => {
      host.log.error(
        { app, reason: String(error) },
        "what a program that migrates has left is removed before the next",
      );
    });
  const error = new IkomaError(
    "RELEASE_INTERRUPTED",
    `The agent was restarted while ${kind} of ${app} was in its phase "${entry.phase}".`,
    kind.startsWith("backup.") ? { hint: interruptedBackupHint } : {},
  );
  host.journal.atOnce(() => {
    if (number !== undefined) host.deployments.fail(app, number, error.message);
    host.journal.fail(key, "failed", toWire(error), host.parts.advance(app, part));
  });
  host.log.info({ app, kind, phase: entry.phase }, "undoing an operation that a restart had cut off");
}
