import { findAccessoryDatabase } from "../database/accessory-database.ts";
import { ask } from "../database/psql.ts";
import type { Host } from "../host.ts";
import { acceptedOf } from "./accepted-backup.ts";
import { applicationName, serverOf } from "./backup-task.ts";
import { clearRestore } from "./restore-marker.ts";

const deadlineMs = 30_000;

/**
 * Takes away what an agent that died has left of an app's backups: half a backup, a dump that still runs, a database
 * that was not restored to its end. Nothing may be at work on the app. False where the database does not answer yet.
 */
export async function clearLeftovers(host: Host, app: string): Promise<boolean> {
  const halves = await host.backups.sweep(app);
  for (const name of halves) host.log.info({ app, name }, "removed what was left of a backup that was cut off");
  try {
    if (halves.length > 0) await endDumps(host, app);
    await clearRestore(host, app, AbortSignal.timeout(deadlineMs));
    return true;
  } catch (error) {
    host.log.warn({ app, reason: String(error) }, "what backups have left in the database is cleared later");
    return false;
  }
}

/** A dump goes on in its container when nobody reads it any more. */
async function endDumps(host: Host, app: string): Promise<void> {
  const database = await findAccessoryDatabase(host, app, acceptedOf(host, app)?.service).catch(() => undefined);
  if (database === undefined) return;
  const like = applicationName("%");
  const statement = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '${like}' AND pid <> pg_backend_pid()`;
  await ask(host, serverOf(database, "leftovers"), [statement], AbortSignal.timeout(deadlineMs));
}
