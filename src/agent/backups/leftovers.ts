import { findAccessoryDatabase } from "../database/accessory-database.ts";
import { ask } from "../database/psql.ts";
import type { Host } from "../host.ts";
import { acceptedOf } from "./accepted-backup.ts";
import { applicationName, serverOf } from "./backup-task.ts";
import { clearRestore } from "./restore-marker.ts";

const deadlineMs = 30_000;

/** What an agent that died has left of an app's backups: half a backup, a dump that still runs, a database that was not restored to its end. */
export class Leftovers {
  readonly #host: Host;
  readonly #app: string;
  #halves: readonly string[] | undefined;

  constructor(host: Host, app: string) {
    this.#host = host;
    this.#app = app;
  }

  /**
   * Takes it away. Nothing may be at work on the app. False where the database does not answer yet: to be called again,
   * and then leaves the files alone, among which one may be that is just being brought here.
   */
  async clear(): Promise<boolean> {
    const [host, app] = [this.#host, this.#app];
    try {
      this.#halves ??= await this.#removeHalves();
      if (this.#halves.length > 0) await endDumps(host, app);
      await clearRestore(host, app, AbortSignal.timeout(deadlineMs));
      return true;
    } catch (error) {
      host.log.warn({ app, reason: String(error) }, "what backups have left in the database is cleared later");
      return false;
    }
  }

  async #removeHalves(): Promise<string[]> {
    const halves = await this.#host.backups.sweep(this.#app);
    for (const name of halves)
      this.#host.log.info({ app: this.#app, name }, "removed what was left of a backup that was cut off");
    return halves;
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
