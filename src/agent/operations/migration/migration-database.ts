import * as z from "zod";
import { identityText, mismatchOf } from "../../../core/database/database-identity.ts";
import type { DatabaseClaim, DatabaseIdentity, DatabaseOwner } from "../../../core/database/database-identity.ts";
import type { RemoteDatabase } from "../../../core/database/remote-database.ts";
import { IkomaError } from "../../../core/errors.ts";
import { noDatabase } from "../../../core/migrations/migration-plan.ts";
import type { ExpectedMigrations } from "../../../core/migrations/migration-spec.ts";
import { asSchemaOwner, findAccessoryDatabase } from "../../database/accessory-database.ts";
import type { DatabaseServer, DatabaseSession } from "../../database/database-session.ts";
import { remoteServer } from "../../database/remote-server.ts";
import type { Host } from "../../host.ts";
import { rememberedDatabase } from "./remembered-migrations.ts";
import { sqlStateOf } from "./statement-failure.ts";

const owner = z.object({ app: z.string(), environment: z.string() });

/** Beside the history; it has one row. */
const ownerTable = `CREATE TABLE IF NOT EXISTS ikoma_bridge.owner (
  only_one boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (only_one),
  app text NOT NULL, environment text NOT NULL, since timestamptz NOT NULL DEFAULT now())`;
const claim = `INSERT INTO ikoma_bridge.owner (app, environment) VALUES ($1, $2)
  ON CONFLICT (only_one) DO UPDATE SET app = excluded.app, environment = excluded.environment, since = now()`;

/**
 * Where an app's migrations go: as its environment says, or the accessory that its bundle names.
 *
 * @throws DATABASE_NOT_FOUND, DATABASE_URL_INVALID, DATABASE_POOLED
 */
export async function databaseOf(
  host: Host,
  { app, database, remote }: Pick<ExpectedMigrations, "app" | "database" | "remote">,
): Promise<DatabaseServer> {
  if (remote !== undefined) return remoteServer(remote);
  if (database === undefined) throw noDatabase(app);
  return asSchemaOwner(await findAccessoryDatabase(host, app, database));
}

/** What tells the session's database from others. */
export async function identityOf(session: DatabaseSession): Promise<DatabaseIdentity> {
  const [named] = await session.rows("SELECT current_database() AS name");
  const [told] = await session.rows("SELECT system_identifier::text AS system FROM pg_control_system()").catch(hidden);
  return {
    name: z.object({ name: z.string() }).parse(named).name,
    system: z.object({ system: z.string() }).safeParse(told).data?.system,
  };
}

/** Whose a database elsewhere is, held against the app that asks. */
export interface SeenClaim extends Pick<DatabaseClaim, "by" | "found" | "owner"> {
  /** Why the app's migrations must not go there. A change of what it is must be meant. */
  readonly refusal: IkomaError | undefined;
}

/** Looks whose a database elsewhere is. Notes nothing. */
export async function claimOf(
  host: Host,
  app: string,
  { environment, identity }: RemoteDatabase,
  session: DatabaseSession,
): Promise<SeenClaim> {
  const seen = { by: { app, environment }, found: await identityOf(session), owner: await ownerOf(session) };
  const refusal = mismatchOf({ ...seen, before: rememberedDatabase(host, app), accepted: identity });
  return { ...seen, refusal };
}

/** Notes in the database whose it is. Gives its identity, for the host to remember. */
export async function takeClaim(session: DatabaseSession, { by, owner: known, found }: SeenClaim): Promise<string> {
  if (known?.app !== by.app || known.environment !== by.environment) {
    await session.transaction(async () => {
      await session.run(ownerTable);
      await session.rows(claim, [by.app, by.environment]);
    });
  }
  return identityText(found);
}

async function ownerOf(session: DatabaseSession): Promise<DatabaseOwner | undefined> {
  const [there] = await session.rows("SELECT to_regclass('ikoma_bridge.owner') IS NOT NULL AS there");
  if (there?.["there"] !== true) return undefined;
  const [row] = await session.rows("SELECT app, environment FROM ikoma_bridge.owner");
  return row === undefined ? undefined : owner.parse(row);
}

/** Some services do not tell it to anybody. */
function hidden(error: unknown): [] {
  if (["42501", "42883", "0A000"].includes(sqlStateOf(error) ?? "")) return [];
  throw error;
}

/**
 * Work on the tables of the history. The user of a database elsewhere is seldom one that may do everything.
 *
 * @throws DATABASE_AUTH where PostgreSQL does not let the user
 */
export async function withRights<T>(session: DatabaseSession, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (sqlStateOf(error) !== "42501" || !(error instanceof Error)) throw error;
    throw new IkomaError("DATABASE_AUTH", `In ${session.where}: ${error.message}. Nothing was run.`, {
      hint: "Use a user that may make the schemas supabase_migrations and ikoma_bridge, or owns them: of Supabase `postgres`.",
      cause: error,
    });
  }
}
