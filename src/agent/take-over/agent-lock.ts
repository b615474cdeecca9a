import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";

const pollMs = 50;

/**
 * Whoever holds it may write the ledger and drive the edge; a host has one such agent at most. SQLite's lock on a file
 * of its own, because Node offers no `flock`: the kernel gives it back when the holder dies, however that happens.
 */
export class AgentLock {
  readonly #database: DatabaseSync;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /**
   * Waits up to `deadlineMs` until no other agent holds it.
   *
   * @throws HOST_NOT_READY
   */
  static async take(path: string, deadlineMs: number): Promise<AgentLock> {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(path);
    chmodSync(path, 0o600);
    const giveUpAtMs = performance.now() + deadlineMs;
    for (;;) {
      try {
        database.exec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
        return new AgentLock(database);
      } catch (error) {
        if (!isLocked(error)) throw error;
        if (performance.now() > giveUpAtMs) {
          database.close();
          throw new IkomaError("HOST_NOT_READY", "Another agent of this host is at work and does not end.", {
            hint: "Remove the one too many (`docker ps --filter label=dev.ikoma.part=agent`), then run `ikoma host bootstrap`.",
            cause: error,
          });
        }
      }
      await sleep(pollMs);
    }
  }

  release(): void {
    this.#database.close();
  }
}

const sqliteBusy = 5;

function isLocked(error: unknown): boolean {
  return z.looseObject({ errcode: z.literal(sqliteBusy) }).safeParse(error).success;
}
