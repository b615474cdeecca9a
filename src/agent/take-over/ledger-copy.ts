import { existsSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { syncToDisk } from "../durable-file.ts";
import { isDamaged } from "../ledger/open-ledger.ts";

/**
 * Copies a ledger that somebody else may be writing. The copy is whole or not there.
 *
 * @returns false where the ledger is damaged: its next start moves it aside and rebuilds it
 */
export function copyLedger(from: string, to: string): boolean {
  const unfinished = `${to}.new`;
  rmSync(unfinished, { force: true });
  const database = new DatabaseSync(from, { readOnly: true });
  try {
    database.exec("PRAGMA busy_timeout = 5000");
    database.prepare("VACUUM INTO ?").run(unfinished);
  } catch (error) {
    if (!isDamaged(error)) throw error;
    rmSync(unfinished, { force: true });
    return false;
  } finally {
    database.close();
  }
  syncToDisk(unfinished);
  renameSync(unfinished, to);
  syncToDisk(dirname(to));
  return true;
}

/** Puts a copy in the place of the ledger, which nobody may have open. */
export function restoreLedger(copy: string, ledger: string): void {
  // What these hold belongs to the ledger that goes; SQLite would play it into the copy.
  for (const beside of ["-wal", "-shm"]) rmSync(`${ledger}${beside}`, { force: true });
  renameSync(copy, ledger);
  syncToDisk(dirname(ledger));
}

/** Removes a ledger and what SQLite keeps beside it. */
export function removeLedger(path: string): void {
  if (!existsSync(path)) return;
  for (const name of [path, `${path}-wal`, `${path}-shm`]) rmSync(name, { force: true });
  syncToDisk(dirname(path));
}
