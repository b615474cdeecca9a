import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { waitUntil } from "../lab/wait-until.ts";
import { LocalPostgres, password as serverPassword, user } from "../rigs/postgres.ts";
import { pushTinyWeb, type TinyWebImage } from "./fixture/index.ts";
import { startDeployLab, webAlone, webMigratedByCommand, webWithDatabase } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;
let v2: TinyWebImage;
let folder: string;
/** The bundle of the first deploy. */
let oldest: string;

const compose = `x-ikoma: { migrations: { path: ./supabase/migrations } }\n${webWithDatabase}`;
const password = "pa$$w0rd-for-the-migrations";
const users = "create table public.users (id bigint primary key, email text);\n";
const index = "create unique index concurrently by_email on public.users (email);\n";

beforeAll(async () => {
  lab = await startDeployLab("migrations");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  const settings = { health: { path: "/health", timeoutSeconds: 20 }, migrations: { waitSeconds: 30, lockSeconds: 1 } };
  ({ project, app } = await lab.addProject({ name: "guild", compose, settings }));
  await project.setSecret("POSTGRES_PASSWORD", password);
  folder = join(project.folder, "supabase/migrations");
  await mkdir(folder, { recursive: true });
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

function write(file: string, sql: string): Promise<void> {
  return writeFile(join(folder, `${file}.sql`), sql);
}

async function sql(text: string): Promise<string[]> {
  const { name } = await app.container("db");
  const psql = `docker exec -i ${name} psql -U shop -d shop --quiet --tuples-only --no-align -v ON_ERROR_STOP=1`;
  const { code, stdout, stderr } = await lab.host.vps.exec(psql, { stdin: text });
  if (code !== 0) throw new Error(`${text}: ${stderr}`);
  return stdout.split("\n").filter((line) => line !== "");
}

const history = (): Promise<string[]> => sql("SELECT version FROM supabase_migrations.schema_migrations ORDER BY 1");
const indexes = (): Promise<string[]> =>
  sql("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.by_email')");

/** How many the host has. */
async function backups(): Promise<number> {
  const { stdout } = await project.ikoma("backup", "list", "--json");
  return z.object({ data: z.object({ backups: z.array(z.unknown()) }) }).parse(JSON.parse(stdout)).data.backups.length;
}

/** A session of the database that is in a transaction until it is ended. */
async function holding(statement: string): Promise<{ end: () => Promise<void> }> {
  const { name } = await app.container("db");
  const script = `BEGIN; ${statement}; SELECT pg_sleep(300)`;
  const command = `docker exec -d -e PGAPPNAME=holder ${name} psql -U shop -d shop -c '${script}'`;
  const { code, stderr } = await lab.host.vps.exec(command);
  if (code !== 0) throw new Error(stderr);
  const sleeps = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'";
  await waitUntil("the other session holds", async () => (await sql(sleeps)).length > 0);
  return {
    end: async () => {
      await sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'");
    },
  };
}

test("the first deploy runs every migration before the release starts, the second only the new one", async () => {
  await write("20260101000000_users", users);
  await write(
    "20260102000000_orders",
    "create table public.orders (id bigint);\ninsert into public.users values (1, 'a');\n",
  );
  oldest = await project.bundle(v1);
  const first = await project.apply("--bundle", oldest);
  expect(first.apps["guild"]).toMatchObject({ number: 1, version: "v1" });
  expect(await history()).toEqual(["20260101000000", "20260102000000"]);
  const ended = `SELECT to_char(max(ended_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS') FROM ikoma_bridge.migrations`;
  const [migratedAt = ""] = await sql(ended);
  const { startedAt } = await app.container("web");
  expect(startedAt > migratedAt).toBe(true);

  await write("20260103000000_total", "alter table public.orders add column total int;\n");
  const planned = await project.ikoma("deploy", "plan", "--bundle", await project.bundle(v2));
  expect(planned.stdout).toContain("runs 20260103000000_total (expand)");
  expect(planned.stdout).not.toContain("runs 20260102000000_orders");
  const second = await project.apply("--bundle", await project.bundle(v2));
  expect(second.apps["guild"]).toMatchObject({ number: 2, version: "v2" });
  expect(await sql("SELECT count(DISTINCT run) FROM ikoma_bridge.migrations")).toEqual(["2"]);
  expect(await project.plan()).toMatchObject({ changes: false });
});

test("back over a migration that the release before can live with: it stays, and is not run again", async () => {
  const { stderr, code } = await project.ikoma("deploy", "rollback", "--yes");
  expect(stderr).toContain("migrations (20260103000000_total)");
  expect(code).toBe(0);
  expect(await app.versions()).toEqual(["v1"]);
  expect(await history()).toHaveLength(3);
  const { apps } = await project.apply("--redeploy", "--bundle", await project.bundle(v2));
  expect(apps["guild"]?.version).toBe("v2");
  expect(await sql("SELECT count(DISTINCT run) FROM ikoma_bridge.migrations")).toEqual(["2"]);
});

test("one that fails is taken back and told; the release that serves serves on", async () => {
  await write("20260104000000_bad", "create table public.half ();\nselect nothing;\n");
  const { startedAt } = await app.container("web");
  const failure = await project.applyBadly("--bundle", await project.bundle(v1), "--redeploy");
  expect(failure).toMatchObject({ code: "MIGRATION_FAILED", exitCode: 4, details: { line: 2, sqlState: "42703" } });
  expect(failure.message).toContain('20260104000000_bad.sql:2: column "nothing" does not exist');
  expect(await sql("SELECT to_regclass('public.half') IS NULL")).toEqual(["t"]);
  expect((await app.container("web")).startedAt).toBe(startedAt);
  expect(await app.versions()).toEqual(["v2"]);
  await rm(join(folder, "20260104000000_bad.sql"));
});

test("an applied file that was edited is refused in the plan already", async () => {
  await write("20260101000000_users", `${users}-- edited\n`);
  const { code, stdout } = await project.ikoma("deploy", "plan", "--json", "--bundle", await project.bundle(v2));
  expect(code).toBe(4);
  expect(stdout).toContain('"code":"MIGRATION_CHANGED","message":"20260101000000_users was changed');
  await write("20260101000000_users", users);
});

test("what takes data away is refused without a reason, then without a backup; nothing was changed", async () => {
  const drop = "alter table public.orders drop column total;\n";
  await write("20260105000000_drop", drop);
  const reference = await project.bundle(v2);
  const { code, stdout } = await project.ikoma("deploy", "plan", "--json", "--bundle", reference);
  expect(code).toBe(4);
  expect(stdout).toContain("MIGRATION_REFUSED");
  expect(stdout).toContain("20260105000000_drop.sql:1 drop-column: ");
  await write("20260105000000_drop", `-- ikoma:allow drop-column reason="unused"\n${drop}`);
  expect(await project.applyBadly("--bundle", await project.bundle(v2))).toMatchObject({
    code: "MIGRATION_BACKUP_MISSING",
  });
  expect(await history()).toHaveLength(3);
});

test("a session that migrates already is waited for", async () => {
  const allowed = '-- ikoma:allow drop-column reason="unused"\n-- ikoma:allow no-backup reason="it was never filled"\n';
  await write("20260105000000_drop", `${allowed}alter table public.orders drop column total;\n`);
  const other = await holding("SELECT pg_advisory_lock(452774030689)");
  const deploy = project.startApply("--bundle", await project.bundle(v2));
  await app.reached("locking");
  await other.end();
  expect((await deploy.ended).code).toBe(0);
  expect(await history()).toHaveLength(4);
});

test("back over one that took away what the release before needs is refused, before anything changes", async () => {
  await project.configure(["env"], { GREETING: "anew" });
  await project.apply();
  const before = await project.stackText();
  const { code, stdout } = await project.ikoma("deploy", "rollback", "--yes", "--json", "--to", "#1");
  expect(code).toBe(4);
  expect(stdout).toContain("MIGRATION_INCOMPATIBLE");
  expect(stdout).toContain("20260105000000_drop");
  expect(await project.stackText()).toBe(before);
  const deployed = await project.applyBadly("--redeploy", "--bundle", oldest);
  expect(deployed).toMatchObject({ code: "MIGRATION_INCOMPATIBLE", exitCode: 4 });
  expect(await app.versions()).toEqual(["v2"]);
});

test("an index that the agent's death cut off is made by the next deploy", async () => {
  await write("20260106000000_index", index);
  const reference = await project.bundle(v2);
  const other = await holding("SELECT * FROM public.users");
  const deploy = project.startApply("--bundle", reference);
  const making = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'create unique index%' AND state = 'active'";
  await waitUntil("the index is being made", async () => (await sql(making)).length > 0, { deadlineMs: 60_000 });
  await lab.host.agentProcess.kill();
  await sql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'create unique index%' AND pid <> pg_backend_pid()",
  );
  await other.end();
  expect((await deploy.ended).code).not.toBe(0);
  expect(await indexes()).toEqual(["f"]);
  expect(await sql("SELECT state FROM ikoma_bridge.migrations WHERE version = '20260106000000'")).toEqual(["running"]);
  await project.apply("--bundle", reference);
  expect(await indexes()).toEqual(["t"]);
  expect(await sql("SELECT state FROM ikoma_bridge.migrations WHERE version = '20260106000000'")).toEqual(["applied"]);
  expect(await project.allState()).not.toContain("create unique index");
});

test("what takes data away goes on with the backup that the same deploy takes; a rollback waits for none", async () => {
  const drop = "alter table public.users drop column email;\n";
  await write("20260107000000_email", `-- ikoma:allow drop-column reason="never mailed"\n${drop}`);
  const reference = await project.bundle(v1);
  expect(await project.applyBadly("--redeploy", "--bundle", reference)).toMatchObject({
    code: "MIGRATION_BACKUP_MISSING",
  });
  await project.configure(["backup"], {});
  const { plan } = await project.apply("--redeploy", "--bundle", reference);
  const done = plan.map(({ part, operation }) => `${part} ${operation}`);
  expect(done).toEqual(expect.arrayContaining(["backup create", "migration update", "release update"]));
  expect(await history()).toContain("20260107000000");
  expect(await backups()).toBe(1);

  await project.configure(["env"], { GREETING: "once more" });
  await project.apply();
  expect(await backups()).toBe(1);
  await lab.host.vps.exec("rm -rf /var/lib/ikoma/backups/guild/2*");
  await project.rollBack();
  expect(await backups()).toBe(0);
});

test("a program of the app's own migrates where its database is, once for each bundle, before the web starts", async () => {
  const settings = { health: { path: "/health", timeoutSeconds: 20 } };
  const crew = await lab.addProject({ name: "crew", compose: webMigratedByCommand, settings });
  await crew.project.setSecret("POSTGRES_PASSWORD", password);
  const runs = async (): Promise<string> => {
    const { name } = await crew.app.container("db");
    const { stdout } = await lab.host.vps.exec(
      `docker exec ${name} psql -U crew -d crew -Atc 'select count(*) from runs'`,
    );
    return stdout.trim();
  };
  const [one, two] = [await crew.project.bundle(v1), await crew.project.bundle(v2)];
  const first = await crew.project.apply("--bundle", one);
  expect(first.plan.map(({ part, operation }) => `${part} ${operation}`)).toContain("migration-command create");
  expect(await runs()).toBe("1");
  await crew.project.configure(["env"], { GREETING: "anew" });
  await crew.project.apply();
  expect(await runs()).toBe("1");
  await crew.project.apply("--bundle", two);
  expect(await runs()).toBe("2");
  await crew.project.rollBack();
  expect(await runs()).toBe("2");
  await waitUntil("only #4 is left", async () => {
    const { containers } = await crew.app.inShort();
    return containers.join() === "crew-4-web-1 running,crew-accessories-db-1 running";
  });
  expect(await crew.project.allState()).not.toContain(password);
});

test("a database that a URL leads to is migrated by the host, over TLS; another one in its place is refused", async () => {
  // This machine, as the lab's see it.
  const address = "10.77.0.1";
  await using server = await LocalPostgres.start(`IP:${address}`);
  const [right, wrong] = [await server.database(), await server.database()];
  const at = (name: string): string => `postgresql://${user}:${serverPassword}@${address}:${server.port}/${name}`;
  const tables = async (name: string): Promise<unknown[]> => {
    const query =
      "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";
    return (await (await server.connect(name)).query<{ tablename: string }>(query)).rows.map((row) => row.tablename);
  };

  const settings = { health: { path: "/health", timeoutSeconds: 20 } };
  const elsewhere = `x-ikoma: { migrations: { path: ./supabase/migrations } }\n${webAlone}`;
  const { project: cloud, app: cloudApp } = await lab.addProject({ name: "cloud", compose: elsewhere, settings });
  const files = join(cloud.folder, "supabase/migrations");
  await mkdir(files, { recursive: true });
  await writeFile(join(files, "1_users.sql"), users);
  const first = await cloud.bundle(v1);
  expect((await cloud.applyBadly("--bundle", first)).code).toBe("DATABASE_NOT_FOUND");

  await cloud.setSecret("DATABASE_URL", at(right));
  await cloud.configure(["database"], {});
  expect((await cloud.applyBadly("--bundle", first)).code).toBe("DATABASE_TLS");
  await cloud.configure(["database"], { caCert: await server.authority() });
  const planned = await cloud.ikoma("deploy", "plan", "--bundle", first);
  expect(planned.stdout).toContain(`in ${right} at ${address}:${server.port} as ${user}`);
  await cloud.apply("--bundle", first);
  expect(await tables(right)).toEqual(["migrations", "owner", "schema_migrations", "users"]);

  await writeFile(join(files, "2_orders.sql"), "create table public.orders (id bigint);\n");
  const second = await cloud.bundle(v2);
  await cloud.setSecret("DATABASE_URL", at(wrong));
  const refused = await cloud.applyBadly("--bundle", second);
  expect(refused).toMatchObject({
    code: "DATABASE_MISMATCH",
    message: expect.stringContaining(`/${right}`) as unknown,
  });
  expect(await tables(wrong)).toEqual([]);
  expect(await cloudApp.versions()).toEqual(["v1"]);
  await cloud.setSecret("DATABASE_URL", at(right));
  await cloud.apply("--bundle", second);
  expect(await tables(right)).toContain("orders");
  expect(await cloudApp.versions()).toEqual(["v2"]);
  await cloud.rollBack();
  expect(await cloudApp.versions()).toEqual(["v1"]);
  expect(await tables(right)).toContain("orders");
  expect(await cloud.allState()).not.toContain(serverPassword);
});
