import { existsSync, renameSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import type { Logger } from "pino";
import * as z from "zod";
import type { Repairs } from "../repairs.ts";
import { openDatabase } from "./database.ts";
import type { Vault } from "./vault.ts";

/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const damagedCodes = [11, 26];

const sqliteError = z.object({ errcode: z.number().int(), message: z.string() });

/** Whom to tell. */
interface Told {
  log: Logger;
  repairs: Repairs;
}

/**
 * Opens the ledger. One that is damaged, or that another key than the host's has sealed, is moved aside (never deleted)
 * and a new one begun, which the start then rebuilds.
 *
 * @throws IkomaError JOURNAL_NEWER, and whatever else keeps SQLite from opening it (a full disk, say)
 */
export function openLedger(path: string, vault: Vault, { log, repairs }: Told): DatabaseSync {
  try {
    return openReadable(path, vault);
  } catch (error) {
    const reason = unreadableReason(error);
    if (reason === undefined) throw error;
    const aside = moveAside(path);
    log.error({ path, aside, reason }, "the ledger cannot be read; it was moved aside, and a new one is begun");
    repairs.note(`the ledger could not be read (${reason}); it was moved to ${aside}`);
    return openDatabase(path);
  }
}

class Unreadable extends Error {}

function openReadable(path: string, vault: Vault): DatabaseSync {
  const database = openDatabase(path);
  try {
    const [found] = database.prepare("PRAGMA quick_check(1)").all();
    const { quick_check: verdict } = z.object({ quick_check: z.string() }).parse(found);
    if (verdict !== "ok") throw new Unreadable(verdict);
    const sealed = database
      .prepare("SELECT sealed FROM parts UNION ALL SELECT sealed FROM deployments WHERE length(sealed) > 0 LIMIT 1")
      .get()?.["sealed"];
    if (sealed instanceof Uint8Array && !vault.canUnseal(sealed))
      throw new Unreadable("the host's key is not the one that sealed it");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function unreadableReason(error: unknown): string | undefined {
  if (error instanceof Unreadable) return error.message;
  return isDamaged(error) ? sqliteError.parse(error).message : undefined;
}

/** Whether SQLite says that a file is no database, or a damaged one. */
export function isDamaged(error: unknown): boolean {
  const { data } = sqliteError.safeParse(error);
  // The low byte of an extended code is the code itself.
  return data !== undefined && damagedCodes.includes(data.errcode & 0xff);
}

function moveAside(path: string): string {
  const aside = `${path}.unreadable-${new Date().toISOString().replaceAll(":", "-")}`;
  for (const suffix of ["", "-wal", "-shm"]) if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  return aside;
}
