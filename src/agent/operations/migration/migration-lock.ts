import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { IkomaError } from "../../../core/errors.ts";
import type { DatabaseSession } from "../../database/database-session.ts";
import type { OperationContext } from "../../host.ts";

/** `ikoma` in ASCII: one number of PostgreSQL's advisory locks, of which each database has its own. */
const lockNumber = 0x69_6b_6f_6d_61;
const pollMs = 250;

const holding = `SELECT pid, application_name, coalesce(client_addr::text, 'a socket') AS client, query_start::text AS since
  FROM pg_locks JOIN pg_stat_activity USING (pid)
  WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = ($1::bigint >> 32)::int AND objid = ($1::bigint & 4294967295)::bigint
  AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
const holder = z.object({
  pid: z.number(),
  application_name: z.string(),
  client: z.string(),
  since: z.string().nullable(),
});

/**
 * Takes the lock that only one session at a time has, until that session ends. One that a crash left behind still has
 * it while the server works on its last statement.
 *
 * @throws MIGRATION_LOCKED with who has it, after `waitSeconds`
 */
export async function takeMigrationLock(
  session: DatabaseSession,
  waitSeconds: number,
  op: Pick<OperationContext, "step" | "signal">,
): Promise<void> {
  const deadline = performance.now() + waitSeconds * 1000;
  let isTold = false;
  for (;;) {
    const [row] = await session.rows("SELECT pg_try_advisory_lock($1) AS taken", [lockNumber]);
    if (row?.["taken"] === true) return;
    const who = await holderOf(session);
    if (performance.now() >= deadline)
      throw new IkomaError(
        "MIGRATION_LOCKED",
        `Another session migrates the database${who}; waited for ${waitSeconds} s.`,
      );
    if (!isTold) op.step("wait", `another session migrates the database${who}`);
    isTold = true;
    await sleep(pollMs, undefined, { signal: op.signal });
  }
}

async function holderOf(session: DatabaseSession): Promise<string> {
  const [row] = await session.rows(holding, [lockNumber]);
  if (row === undefined) return "";
  const { pid, application_name: name, client, since } = holder.parse(row);
  return `: ${name === "" ? "a program" : name} from ${client} (process ${pid}, its statement began ${since ?? "never"})`;
}
