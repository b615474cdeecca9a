import { randomUUID } from "node:crypto";
import * as z from "zod";
import { pooledRefusal } from "../../core/database/database-url.ts";
import type { DatabaseSession } from "./database-session.ts";

/** A pooler may have handed out the same session by chance. */
const rounds = 3;

const ownSession = z.object({ pid: z.number(), mark: z.string().nullable() });

/**
 * Refuses a pooler that gives each transaction whichever session is free (PgBouncer and Supavisor in transaction mode):
 * nothing that belongs to a session, such as the lock of a run, would hold there. A pooler in session mode passes, and
 * so does whatever is no pooler: it announces the process that then answers.
 *
 * @throws DATABASE_POOLED
 */
export async function refuseTransactionPooler(session: DatabaseSession): Promise<void> {
  if (session.isDirect) return;
  const isOwn = await hasOwnSession(session).catch((error: unknown) => {
    // In statement mode it lets nobody begin a transaction.
    if (error instanceof Error && /pooling mode/.test(error.message)) return false;
    throw error;
  });
  if (!isOwn) throw pooledRefusal(`${session.where} is a pooler that does not keep sessions apart`);
}

/** While another connection is in a transaction, and so keeps the session that it has, ours must still be the same. */
async function hasOwnSession(session: DatabaseSession): Promise<boolean> {
  const mark = randomUUID();
  await session.rows("SELECT set_config('ikoma.session', $1, false)", [mark]);
  await using other = await session.another("ikoma look");
  for (let round = 0; round < rounds; round += 1) {
    await other.run("BEGIN");
    const theirs = await sessionOf(other);
    // Ours is not asked then: a pool with one session alone would let it wait for the other's end.
    if (theirs.pid === session.pid) return false;
    const ours = await sessionOf(session);
    if (ours.pid !== session.pid || ours.mark !== mark) return false;
    await other.run("COMMIT");
  }
  return true;
}

async function sessionOf(session: DatabaseSession): Promise<z.infer<typeof ownSession>> {
  const [row] = await session.rows("SELECT pg_backend_pid() AS pid, current_setting('ikoma.session', true) AS mark");
  return ownSession.parse(row);
}
