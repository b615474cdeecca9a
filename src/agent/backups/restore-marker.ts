import { readFile, rm } from "node:fs/promises";
import * as z from "zod";
import { findAccessoryDatabase } from "../database/accessory-database.ts";
import { identifier, literal } from "../database/database-facts.ts";
import { ask } from "../database/psql.ts";
import { writeDurably } from "../durable-file.ts";
import type { Host } from "../host.ts";
import { serverOf } from "./backup-task.ts";

/** A restore that is under way: what it makes, beside the database that serves. */
const restoreMarker = z.strictObject({
  service: z.string(),
  /** The database that is restored into; under this name it is never the one that serves. */
  unfinished: z.string(),
});
export type RestoreMarker = z.infer<typeof restoreMarker>;

/** Noted down before the database is made, so that it is found after a crash. */
export async function markRestore(host: Host, app: string, marker: RestoreMarker): Promise<void> {
  await writeDurably(host.backups.restorePath(app), JSON.stringify(marker));
}

/** Drops what a restore of the app has made and not brought into place, if there is any. */
export async function clearRestore(host: Host, app: string, signal: AbortSignal): Promise<void> {
  const path = host.backups.restorePath(app);
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const { service, unfinished } = restoreMarker.parse(JSON.parse(text));
  const server = { ...serverOf(await findAccessoryDatabase(host, app, service), "leftovers"), database: "template1" };
  await ask(
    host,
    server,
    [
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ${literal(unfinished)}`,
      `DROP DATABASE IF EXISTS ${identifier(unfinished)}`,
    ],
    signal,
  );
  await rm(path, { force: true });
}
