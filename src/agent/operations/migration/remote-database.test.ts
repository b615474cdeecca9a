import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "@jest/globals";
import type { Client } from "pg";
import type { TestHost } from "../../../../test/doubles/host/host.ts";
import { digestOf, run } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { migrationFiles as filesOf, MigrationRig } from "../../../../test/rigs/migrations.ts";
import { LocalPostgres, password, user } from "../../../../test/rigs/postgres.ts";
import { LocalPooler } from "../../../../test/rigs/pgbouncer.ts";
import { factsOf, migrationPolicy } from "../../../core/migrations/migration-spec.ts";
import type { OperationView } from "../../protocol/operations.ts";
import { readPart } from "../../reading/read-parts.ts";
import type { OperationRunner } from "../operation-runner.ts";

let server: LocalPostgres;
let rig: MigrationRig;
let on: TestHost;
let runner: OperationRunner;
let caCert: string;
/** Of this test. */
let database: string;
let client: Client;

beforeAll(async () => {
  // By address it can prove who it is, by the name `localhost` it cannot.
  server = await LocalPostgres.start("IP:127.0.0.1");
  caCert = await server.authority();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

beforeEach(async () => {
  rig = await MigrationRig.create(server);
  ({ on, runner, database, client } = rig);
});

afterEach(() => rig[Symbol.asyncDispose]());

interface Remote {
  url: string;
  caCert?: string;
  identity?: string;
  environment: string;
}

/** The server, encrypted, with the certificate of its authority, unless something else is said. */
function remote(more: Partial<Remote> & { at?: string; login?: string; query?: string } = {}): Remote {
  const { at = `127.0.0.1:${server.port}`, login = `${user}:${password}`, query = "", ...rest } = more;
  return { url: `postgresql://${login}@${at}/${database}${query}`, caCert, environment: "prod", ...rest };
}

/** Only the usual authorities. */
function trusting({ url, environment }: Remote): Remote {
  return { url, environment };
}

const users = { "1_users": "create table users (id bigint primary key, email text);" };

async function migrate(to: Remote, texts: Record<string, string> = users): Promise<OperationView> {
  const spec = { app: "shop", remote: to, bundle: digestOf("a"), files: await filesOf(texts) };
  return run(runner, "migration.apply", { spec, redact: [to.url] });
}

async function look(to: Remote, texts: Record<string, string> = users) {
  const files = (await filesOf(texts)).map(factsOf);
  return readPart(on.host, "shop", "migration", { app: "shop", remote: to, policy: migrationPolicy.parse({}), files });
}

const column = <T>(sql: string): Promise<T[]> => rig.column(sql);
const schemas = (): Promise<string[]> =>
  column("SELECT nspname AS value FROM pg_namespace WHERE nspname IN ('ikoma_bridge', 'supabase_migrations')");

/** What the plan is refused for, what the run fails with; nothing was made in the database. */
async function refusals(to: Remote): Promise<{ message: string; hint: string; planned: string; code: string }> {
  const [seen, ended] = [await look(to), await migrate(to)];
  expect(ended.state).toBe("failed");
  expect(seen.migrations?.refusal?.code).toBe(ended.error?.code);
  expect(JSON.stringify([seen, ended, on.logged])).not.toContain(password);
  expect(await schemas()).toEqual([]);
  const { code = "", message = "", hint = "" } = ended.error ?? {};
  return { code, message, hint, planned: seen.migrations?.refusal?.message ?? "" };
}

test("migrations are run over a verified connection, later only those that are new; the plan says them before", async () => {
  const two = {
    ...users,
    "2_ssl": "create table seen as select ssl, version from pg_stat_ssl where pid = pg_backend_pid();",
  };
  expect(await look(remote(), two)).toMatchObject({ migrations: { applied: [], pending: ["1_users", "2_ssl"] } });
  expect(await schemas()).toEqual([]);
  expect(await migrate(remote(), two)).toMatchObject({ state: "succeeded", result: { applied: ["1_users", "2_ssl"] } });
  expect(await column("SELECT ssl AS value FROM seen")).toEqual([true]);
  expect(await look(remote(), two)).toMatchObject({ exists: true, drift: [], migrations: { pending: [] } });
  const three = { ...two, "3_x": "create table x ();" };
  expect(await migrate(remote(), three)).toMatchObject({ result: { applied: ["3_x"] } });
  expect(await column("SELECT app || ' ' || environment AS value FROM ikoma_bridge.owner")).toEqual(["shop prod"]);
});

test("a certificate of an authority that is not trusted is refused, and what to do is said", async () => {
  const without = trusting(remote({ query: "?sslmode=require" }));
  const refused = await refusals(without);
  expect(refused).toMatchObject({ code: "DATABASE_TLS" });
  expect(refused.message).toContain("not from any of the usual authorities");
  expect(refused.hint).toContain("caCert");
});

test("a certificate for another name is refused", async () => {
  expect(await refusals(remote({ at: `localhost:${server.port}` }))).toMatchObject({
    code: "DATABASE_TLS",
    message: expect.stringContaining("Hostname/IP does not match certificate's altnames") as unknown,
  });
});

test("a server that encrypts nothing is refused", async () => {
  await using plain = await LocalPostgres.start();
  expect(await refusals(remote({ at: `127.0.0.1:${plain.port}` }))).toMatchObject({
    code: "DATABASE_TLS",
    message: expect.stringContaining("it does not encrypt") as unknown,
  });
});

test("a wrong password, and a database that is not there, are told for what they are", async () => {
  expect(await refusals(remote({ login: `${user}:another-p4ssword` }))).toMatchObject({
    code: "DATABASE_AUTH",
    message: expect.stringContaining(`password authentication failed for user "${user}" (SQLSTATE 28P01)`) as unknown,
  });
  const url = remote().url.replace(database, "nowhere");
  expect(await refusals(remote({ url }))).toMatchObject({
    code: "DATABASE_AUTH",
    message: expect.stringContaining('database "nowhere" does not exist (SQLSTATE 3D000)') as unknown,
  });
});

test("a URL without the password that the server asks for, and a user who may not connect, are told for what they are", async () => {
  expect(await refusals(remote({ login: user }))).toMatchObject({
    code: "DATABASE_AUTH",
    message: expect.stringContaining(`it asks for a password of ${user}, and the URL has none`) as unknown,
  });
  await client.query(`DROP ROLE IF EXISTS stranger; CREATE ROLE stranger LOGIN PASSWORD 'str4ngers-own';
    REVOKE CONNECT ON DATABASE ${database} FROM PUBLIC`);
  expect(await refusals(remote({ login: "stranger:str4ngers-own" }))).toMatchObject({
    code: "DATABASE_AUTH",
    message: expect.stringContaining(`permission denied for database "${database}" (SQLSTATE 42501)`) as unknown,
  });
});

test("nobody who listens, and a name that is none", async () => {
  expect(await refusals(remote({ at: "127.0.0.1:9" }))).toMatchObject({
    code: "DATABASE_UNREACHABLE",
    message: expect.stringContaining("nobody listens on port 9") as unknown,
  });
  expect(await refusals(remote({ at: "db.invalid" }))).toMatchObject({ code: "DATABASE_UNREACHABLE" });
});

test("a login that is refused since the last deploy is no drift and yet told, a server that is away is drift", async () => {
  await migrate(remote());
  expect(await look(remote({ login: `${user}:the-former-one` }))).toMatchObject({
    exists: true,
    drift: [],
    unread: { code: "DATABASE_AUTH", message: expect.not.stringContaining("the-former-one") as unknown },
  });
  expect(await look(remote({ url: remote().url.replace(database, "nowhere") }))).toMatchObject({
    drift: [],
    unread: { message: expect.stringContaining("3D000") as unknown },
  });
  expect(await look(remote({ at: "127.0.0.1:9" }))).toMatchObject({ drift: [{ path: "remote" }] });
  expect(await migrate(remote(), { ...users, "2_x": "create table x ();" })).toMatchObject({ state: "succeeded" });
});

/** Others use the pooler too, at the same time, so that several of its sessions are open. */
async function openSessions(pooler: LocalPooler, count: number): Promise<void> {
  const holder = await server.connect(database);
  await holder.query("SELECT pg_advisory_lock(1)");
  const others = await Promise.all(Array.from({ length: count }, () => server.connect(database, pooler.port)));
  const waiting = Promise.all(others.map((each) => each.query("SELECT pg_advisory_xact_lock_shared(1)")));
  await waitUntil("each has a session of its own", async () => (await lockWaits()).length === count);
  await holder.query("SELECT pg_advisory_unlock(1)");
  await waiting;
}

const lockWaits = (): Promise<unknown[]> =>
  column("SELECT pid AS value FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");

test.each([
  ["transaction", 1],
  ["transaction", 5],
  ["statement", 5],
] as const)("a pooler in %s mode with %i sessions is refused before anything is run", async (mode, size) => {
  await using pooler = await LocalPooler.start(server.port, mode, size);
  const plain = trusting(remote({ at: `127.0.0.1:${pooler.port}` }));
  await openSessions(pooler, size - 1);
  expect(await refusals(plain)).toMatchObject({
    code: "DATABASE_POOLED",
    message: expect.stringContaining("a pooler that does not keep sessions apart") as unknown,
  });
});

test("a pooler in session mode will do", async () => {
  await using pooler = await LocalPooler.start(server.port, "session", 3);
  const plain = trusting(remote({ at: `127.0.0.1:${pooler.port}` }));
  expect(await migrate(plain)).toMatchObject({ state: "succeeded", result: { applied: ["1_users"] } });
});

test("the database of another environment, or of another app, is refused before anything is run", async () => {
  await migrate(remote());
  const preprod = { ...remote(), environment: "preprod" };
  const two = { ...users, "2_x": "create table x ();" };
  on.host.parts.remove("shop", "migration"); // Preprod is on another host, which remembers nothing.
  expect(await look(preprod, two)).toMatchObject({ migrations: { refusal: { code: "DATABASE_MISMATCH" } } });
  const refused = await migrate(preprod, two);
  expect(refused).toMatchObject({ state: "failed", error: { code: "DATABASE_MISMATCH" } });
  expect(refused.error?.message).toContain("the database of shop of the stack prod");
  expect(await column("SELECT to_regclass('x') AS value")).toEqual([null]);
});

test("another database than the one before is refused until just that one is said to be right", async () => {
  await migrate(remote());
  const first = database;
  database = await server.database();
  const refused = await migrate(remote());
  expect(refused).toMatchObject({ error: { code: "DATABASE_MISMATCH" } });
  const identity = String(refused.error?.details["identity"]);
  expect(identity).toMatch(new RegExp(`^\\d{15,}/${database}$`));
  expect(await migrate({ ...remote(), identity: identity.replace(database, first) })).toMatchObject({
    state: "failed",
  });
  expect(await migrate({ ...remote(), identity })).toMatchObject({ result: { applied: ["1_users"] } });
  expect(await migrate(remote())).toMatchObject({ result: { applied: [] } });
});

test("what takes data away needs a reason in the file: nobody here takes backups of it", async () => {
  await migrate(remote());
  const drop = '-- ikoma:allow drop-column reason="nobody reads it"\nalter table users drop column email;';
  const refused = await migrate(remote(), { ...users, "2_drop": drop });
  expect(refused).toMatchObject({ error: { code: "MIGRATION_BACKUP_MISSING" } });
  expect(refused.error?.message).toContain("the Bridge takes no backups of it");
  const reasoned = `-- ikoma:allow no-backup reason="daily backups at the provider"\n${drop}`;
  expect(await migrate(remote(), { ...users, "2_drop": reasoned })).toMatchObject({ state: "succeeded" });
  const old = { app: "shop", bundle: digestOf("b"), images: ["x"], redeploy: true, migrations: ["1"] };
  expect(await run(runner, "bundle.stage", old)).toMatchObject({ error: { code: "MIGRATION_INCOMPATIBLE" } });
});

test("a user who may not make the history's schemas is told whose right is missing", async () => {
  await client.query("DROP ROLE IF EXISTS visitor; CREATE ROLE visitor LOGIN PASSWORD 'v1sitors-own'");
  const ended = await migrate(remote({ login: "visitor:v1sitors-own" }));
  expect(ended).toMatchObject({ error: { code: "DATABASE_AUTH" } });
  expect(ended.error?.message).toContain(`as visitor: permission denied for database ${database}`);
});

test("a user who may not see whose the database is is told so, in the plan too", async () => {
  await migrate(remote());
  await client.query(`DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN PASSWORD 'gu3sts-own';
    GRANT USAGE ON SCHEMA supabase_migrations, ikoma_bridge TO guest;
    GRANT SELECT ON supabase_migrations.schema_migrations, ikoma_bridge.migrations TO guest`);
  const guest = remote({ login: "guest:gu3sts-own" });
  const denied = { code: "DATABASE_AUTH", message: expect.stringContaining("as guest: permission denied") as unknown };
  expect(await migrate(guest)).toMatchObject({ error: denied });
  expect(await look(guest)).toMatchObject({ migrations: { refusal: denied } });
  await client.query("DROP OWNED BY guest; DROP ROLE guest");
});

test("without a database in the bundle and in the environment nothing is guessed", async () => {
  const spec = { app: "shop", bundle: digestOf("a"), files: await filesOf(users) };
  expect(await run(runner, "migration.apply", { spec, redact: [] })).toMatchObject({
    error: { code: "DATABASE_NOT_FOUND", hint: expect.stringContaining("ikoma:apps.shop.database") as unknown },
  });
});
