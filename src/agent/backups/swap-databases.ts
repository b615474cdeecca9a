import { setTimeout as sleep } from "node:timers/promises";
import { identifier, literal } from "../database/database-facts.ts";
import { ask } from "../database/psql.ts";
import type { ServerInContainer } from "../database/psql.ts";
import type { Host } from "../host.ts";

/** The database that serves, the one that is to take its place, and the name that the first is kept under. */
export interface Swap {
  readonly serving: string;
  readonly next: string;
  readonly kept: string;
}

const terminateEveryMs = 100;
/** Of settings whose value is a list of names as it is written, not a text. */
const listSettings = ["search_path", "local_preload_libraries", "session_preload_libraries", "temp_tablespaces"];

/**
 * Gives the database that serves another name and its own to the next one, in one transaction: there is no moment
 * without a database of that name. The first rename locks the database's entry, at which new connections wait; those
 * that are open are ended meanwhile. Their clients connect again, to the new one.
 */
export async function swapDatabases(host: Host, server: ServerInContainer, swap: Swap): Promise<void> {
  const { serving, next, kept } = swap;
  // To be waited for to its end: nobody could tell what came of one that was broken off.
  const { signal } = new AbortController();
  const rename = (from: string, to: string): string => `ALTER DATABASE ${identifier(from)} RENAME TO ${identifier(to)}`;
  const renames = ["BEGIN", rename(serving, kept), rename(next, serving), "COMMIT"];
  const swapping = { isOver: false };
  const swapped = ask(host, server, renames, signal).finally(() => {
    swapping.isOver = true;
  });
  const endConnections = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN (${literal(serving)}, ${literal(next)}) AND pid <> pg_backend_pid()`;
  const ended = (async () => {
    while (!swapping.isOver) {
      await ask(host, server, [endConnections], signal);
      await sleep(terminateEveryMs);
    }
  })();
  // What the renames say is what happened; ending connections only helps them on.
  ended.catch(() => undefined);
  await swapped;
  await ended.catch(() => undefined);
}

/** A statement that gives a database the owner, the rights and the settings that another one has. */
export function takeOverStatement(from: string, to: string): string {
  const [old, next] = [literal(from), literal(to)];
  const raw = listSettings.map(literal).join(", ");
  return `DO $do$ DECLARE statement text; BEGIN FOR statement IN
  SELECT format('ALTER DATABASE %I OWNER TO %I', ${next}, pg_get_userbyid(datdba)) FROM pg_database WHERE datname = ${old}
  UNION ALL
  SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', ${next}) FROM pg_database WHERE datname = ${old} AND datacl IS NOT NULL
  UNION ALL
  SELECT format('GRANT %s ON DATABASE %I TO %s%s', given.privilege_type, ${next},
      CASE given.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(given.grantee)) END,
      CASE WHEN given.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_database, aclexplode(datacl) given WHERE datname = ${old}
  UNION ALL
  SELECT format('ALTER %s SET %I TO %s',
      CASE setrole WHEN 0 THEN format('DATABASE %I', ${next}) ELSE format('ROLE %I IN DATABASE %I', pg_get_userbyid(setrole), ${next}) END,
      split_part(setting, '=', 1),
      CASE WHEN lower(split_part(setting, '=', 1)) IN (${raw}) THEN substr(setting, strpos(setting, '=') + 1)
        ELSE quote_literal(substr(setting, strpos(setting, '=') + 1)) END)
    FROM pg_db_role_setting JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) setting WHERE d.datname = ${old}
  LOOP EXECUTE statement; END LOOP; END $do$`.replaceAll("\n", " ");
}
