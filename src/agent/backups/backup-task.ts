import type { AccessoryDatabase } from "../database/accessory-database.ts";
import type { ServerInContainer } from "../database/psql.ts";
import type { OperationContext } from "../host.ts";

/** What a backup, a verification or a restore may tell and must heed, whoever asked for it. */
export type BackupTask = Pick<OperationContext, "signal" | "enter" | "step" | "warn">;

/** Under this the database's server knows what works for a backup; with the app, so that leftovers are found. */
export function applicationName(id: string): string {
  return `ikoma-backup-${id}`;
}

/** The database of an app as its own container reaches it. */
export function serverOf(database: AccessoryDatabase, id: string): ServerInContainer {
  return {
    container: database.containerId,
    user: database.user,
    database: database.database,
    applicationName: applicationName(id),
  };
}
