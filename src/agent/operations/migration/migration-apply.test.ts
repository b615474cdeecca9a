import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from "@jest/globals";
import { once } from "node:events";
import { connect, createServer, Socket, type AddressInfo } from "node:net";
import type { Client } from "pg";
import type { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, aRequest, digestOf, imageOf, run, someAccessories } from "../../../../test/doubles/host/inputs.ts";
import { migrationFiles as filesOf, MigrationRig } from "../../../../test/rigs/migrations.ts";
import { LocalPostgres, password, user } from "../../../../test/rigs/postgres.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { factsOf, migrationPolicy } from "../../../core/migrations/migration-spec.ts";
import type { OperationView } from "../../protocol/operations.ts";
import { readPart } from "../../reading/read-parts.ts";
import type { OperationRunner } from "../operation-runner.ts";

let server: LocalPostgres;
let rig: MigrationRig;
let on: TestHost;
let runner: OperationRunner;
/** A client of the app's database. */
let client: Client;
let database: string;

beforeAll(async () => {
  server = await LocalPostgres.start();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

beforeEach(async () => {
  rig = await MigrationRig.create(server);
  ({ on, runner, database, client } = rig);
  await withDatabase(password);
});

afterEach(() => rig[Symbol.asyncDispose]());

async function withDatabase(given: string, image = "postgres", port = server.port): Promise<void> {
  const settings = { POSTGRES_USER: user, POSTGRES_PASSWORD: given, POSTGRES_DB: database, PGPORT: port };
  on.engine.images.set(imageOf(image), {
    imageEnvironment: ["PGDATA=/data", ...Object.entries(settings).map(([name, value]) => `${name}=${value}`)],
  });
  await run(runner, "accessories.apply", someAccessories(on, { db: image }));
}

async function inputOf(texts: Record<string, string>, policy: object = {}) {
  const given = migrationPolicy.parse({ lockSeconds: 0.2, waitSeconds: 0, ...policy });
  return { spec: { app: "shop", database: "db", bundle: digestOf("a"), policy: given, files: await filesOf(texts) } };
}

async function migrate(texts: Record<string, string>, policy: object = {}): Promise<OperationView> {
  return run(runner, "migration.apply", await inputOf(texts, policy));
}

async function look(texts: Record<string, string>) {
  const { files, ...rest } = (await inputOf(texts)).spec;
  const expected = { app: rest.app, database: rest.database, policy: rest.policy, files: files.map(factsOf) };
  return readPart(on.host, "shop", "migration", expected);
}

const column = <T>(sql: string): Promise<T[]> => rig.column(sql);
const tables = (): Promise<string[]> =>
  column("SELECT tablename AS value FROM pg_tables WHERE schemaname = 'public' ORDER BY 1");
const history = (): Promise<string[]> =>
  column("SELECT version AS value FROM supabase_migrations.schema_migrations ORDER BY 1");
const isIndexValid = (): Promise<boolean[]> =>
  column("SELECT indisvalid AS value FROM pg_index WHERE indexrelid = to_regclass('by_email')");

const users = "create table users (id bigint primary key, email text);";
const byEmail = "create unique index concurrently by_email on users (email);";

test("all files are run in order, later only those that are new", async () => {
  const first = await migrate({
    "1_users": users,
    "2_name": "alter table users add column name text; insert into users values (1);",
  });
  expect(first).toMatchObject({ state: "succeeded", result: { applied: ["1_users", "2_name"] } });
  expect(
    await column(
      "SELECT array_to_string(statements, '|') AS value FROM supabase_migrations.schema_migrations WHERE version = '2'",
    ),
  ).toEqual(["alter table users add column name text|insert into users values (1)"]);
  const second = await migrate({
    "1_users": users,
    "2_name": "alter table users add column name text; insert into users values (1);",
    "3_x": "create table x ();",
  });
  expect(second).toMatchObject({ state: "succeeded", result: { applied: ["3_x"] } });
  expect(await tables()).toEqual(["users", "x"]);
  expect(
    await column(
      "SELECT phase || ' ' || state || ' ' || bundle AS value FROM ikoma_bridge.migrations WHERE version = '3'",
    ),
  ).toEqual([`expand applied ${digestOf("a")}`]);
});

test("a file that fails is taken back as a whole and told with its line; those before it stay", async () => {
  const bad = "create table half ();\n-- next\nselect 1,\n  nothing;\ncreate table never ();";
  const ended = await migrate({ "1_users": users, "2_bad": bad, "3_later": "create table later ();" });
  expect(ended).toMatchObject({
    state: "failed",
    error: { code: "MIGRATION_FAILED", details: { file: "2_bad.sql", line: 4, sqlState: "42703" } },
  });
  expect(ended.error?.message).toContain('2_bad.sql:4: column "nothing" does not exist (SQLSTATE 42703)');
  expect(await tables()).toEqual(["users"]);
  expect(await history()).toEqual(["1"]);
});

test("what a statement quotes of rows is not told", async () => {
  const ended = await migrate({
    "1_users": `${users} insert into users values (1, 'ann@private.example'); create unique index on users (email); insert into users values (2, 'ann@private.example');`,
  });
  expect(ended).toMatchObject({ error: { code: "MIGRATION_FAILED", details: { sqlState: "23505" } } });
  expect(JSON.stringify({ ...ended.error, details: { ...ended.error?.details, statement: "" } })).not.toContain(
    "private.example",
  );
});

test("a file that was changed after it had been run is refused, and seen", async () => {
  await migrate({ "1_users": users });
  const changed = { "1_users": `${users} create table more ();`, "2_x": "create table x ();" };
  expect(await migrate(changed)).toMatchObject({ state: "failed", error: { code: "MIGRATION_CHANGED" } });
  expect(await look(changed)).toMatchObject({
    drift: [{ path: 'files["1_users"]' }, { path: 'files["2_x"]' }],
    migrations: { applied: ["1_users"], pending: ["2_x"], refusal: { code: "MIGRATION_CHANGED" } },
  });
  expect(await tables()).toEqual(["users"]);
});

test("one that comes before what was run already is refused", async () => {
  await migrate({ "2_users": users });
  expect(await migrate({ "1_x": "create table x ();", "2_users": users })).toMatchObject({
    error: { code: "MIGRATION_OUT_OF_ORDER", message: "1_x comes before 2_users, which the database has already." },
  });
});

test("what the guard-rails refuse is run only with a reason, what takes data away only with a backup", async () => {
  await migrate({ "1_users": users });
  const drop = "alter table users drop column email;";
  const asked = await migrate({ "1_users": users, "2_drop": drop });
  expect(asked).toMatchObject({ error: { code: "MIGRATION_REFUSED" } });
  expect(asked.error?.message).toMatch(/^2_drop\.sql:1 drop-column: /);
  const allowed = `-- ikoma:allow drop-column reason="nobody reads it"\n${drop}`;
  expect(await migrate({ "1_users": users, "2_drop": allowed })).toMatchObject({
    error: { code: "MIGRATION_BACKUP_MISSING", message: expect.stringContaining("there is none") as unknown },
  });
  expect(await column("SELECT count(email)::int AS value FROM users")).toEqual([0]);
  const without = `-- ikoma:allow no-backup reason="it was never filled"\n${allowed}`;
  expect(await migrate({ "1_users": users, "2_drop": without })).toMatchObject({ state: "succeeded" });
});

test("a session that migrates already is waited for, and named when it does not end", async () => {
  const other = await server.connect(database);
  await other.query("SELECT pg_advisory_lock(452774030689)");
  const refused = await migrate({ "1_users": users });
  expect(refused).toMatchObject({ error: { code: "MIGRATION_LOCKED" } });
  expect(refused.error?.message).toMatch(/: test from 127\.0\.0\.1.* \(process \d+/);
  const waiting = migrate({ "1_users": users }, { waitSeconds: 20 });
  await waitUntil("it waits", () => on.host.journal.running().some(({ phase }) => phase === "locking"));
  await other.end();
  expect(await waiting).toMatchObject({ state: "succeeded" });
});

test("a table that somebody holds is tried again, and who has it is told", async () => {
  await migrate({ "1_users": users });
  const other = await server.connect(database);
  await other.query("BEGIN; LOCK TABLE users");
  const two = { "1_users": users, "2_name": "alter table users add column name text;" };
  const events: string[] = [];
  const request = aRequest("migration.apply", await inputOf(two, { lockSeconds: 0.05 }));
  runner.start(request);
  const ending = runner.attach(request.key, 0, ({ name, message }) => events.push(`${name} ${message}`));
  await waitUntil("it tries again", () => events.some((each) => each.startsWith("retry 2_name.sql:1")));
  await other.query("COMMIT");
  expect(await ending).toMatchObject({ state: "succeeded" });
  await other.query("BEGIN; LOCK TABLE users");
  const three = { ...two, "3_age": "alter table users add column age int;" };
  const ended = await migrate(three, { lockSeconds: 0.01 });
  expect(ended).toMatchObject({ error: { code: "MIGRATION_LOCKED", details: { file: "3_age.sql" } } });
  expect(ended.error?.message).toContain("the longest transaction is that of test");
});

test("an index that fails outside a transaction leaves nothing half-made, and is made by the next run", async () => {
  await migrate({ "1_users": users });
  await client.query("INSERT INTO users VALUES (1, 'a'), (2, 'a')");
  const two = { "1_users": users, "2_index": byEmail };
  expect(await migrate(two)).toMatchObject({ error: { code: "MIGRATION_FAILED", details: { sqlState: "23505" } } });
  expect(await isIndexValid()).toEqual([]);
  expect(await look(two)).toMatchObject({ drift: [{ message: "2_index: it was begun, and nobody has seen its end" }] });
  await client.query("DELETE FROM users WHERE id = 2");
  expect(await migrate(two)).toMatchObject({ state: "succeeded", result: { applied: ["2_index"] } });
  expect(await isIndexValid()).toEqual([true]);
  expect(await history()).toEqual(["1", "2"]);
});

test("an index of the same name that somebody else has made is not taken for the file's own, however often it is run", async () => {
  await migrate({ "1_users": users });
  await client.query("CREATE INDEX by_email ON users (id)");
  const two = { "1_users": users, "2_index": byEmail };
  for (let run = 0; run < 2; run += 1)
    expect(await migrate(two)).toMatchObject({ error: { code: "MIGRATION_FAILED", details: { sqlState: "42P07" } } });
  expect(await history()).toEqual(["1"]);
  const whereMissing = byEmail.replace("concurrently", "concurrently if not exists");
  expect(await migrate({ "1_users": users, "2_index": whereMissing })).toMatchObject({ state: "succeeded" });
});

test("one that was cut off in the middle is taken up: half-made it is made again, whole it is kept", async () => {
  await migrate({ "1_users": users });
  await client.query("INSERT INTO users VALUES (1, 'a'), (2, 'a')");
  const two = { "1_users": users, "2_index": byEmail };
  await migrate(two);
  await expect(client.query(byEmail)).rejects.toThrow("could not create unique index");
  expect(await isIndexValid()).toEqual([false]);
  await client.query("DELETE FROM users WHERE id = 2");
  expect(await migrate(two)).toMatchObject({ state: "succeeded" });
  expect(await isIndexValid()).toEqual([true]);

  await client.query("DELETE FROM supabase_migrations.schema_migrations WHERE version = '2'");
  await client.query("UPDATE ikoma_bridge.migrations SET state = 'running' WHERE version = '2'");
  const [before] = await column("SELECT to_regclass('by_email')::oid::int AS value");
  expect(await migrate(two)).toMatchObject({ state: "succeeded" });
  expect(await column("SELECT to_regclass('by_email')::oid::int AS value")).toEqual([before]);
  expect(await history()).toEqual(["1", "2"]);
});

test("what Supabase's tools have run is taken as run, and guarded from then on", async () => {
  await client.query(`CREATE SCHEMA supabase_migrations; ${users}
    CREATE TABLE supabase_migrations.schema_migrations (version text PRIMARY KEY, statements text[], name text);
    INSERT INTO supabase_migrations.schema_migrations VALUES ('1', '{}', 'users')`);
  const drop = "drop table users;";
  expect(await look({ "1_users": drop })).toMatchObject({ migrations: { applied: ["1_users"], pending: [] } });
  expect(await migrate({ "1_users": drop, "2_x": "create table x ();" })).toMatchObject({
    result: { applied: ["2_x"] },
  });
  expect(await tables()).toEqual(["users", "x"]);
  expect(await migrate({ "1_users": users, "2_x": "create table x ();" })).toMatchObject({
    error: { code: "MIGRATION_CHANGED" },
  });
});

test("what a file sets is for that file alone", async () => {
  await client.query("CREATE SCHEMA other");
  const ended = await migrate({ "1_a": "set search_path = other; create table a ();", "2_b": "create table b ();" });
  expect(ended).toMatchObject({ state: "succeeded" });
  expect(await tables()).toEqual(["b"]);
});

test("a release that does not know what took away its data is refused; what it can live with stays", async () => {
  const contract = '-- ikoma:phase contract\n-- ikoma:allow no-backup reason="test"\nselect 1;';
  const known = ["1", "2"];
  await migrate({ "1_users": users });
  expect((await run(runner, "release.apply", aRelease(on, "v1"))).error).toBeUndefined();
  await migrate({ "1_users": users, "2_contract": contract });
  const old = await run(runner, "release.apply", aRelease(on, "v2"));
  expect(old).toMatchObject({ state: "failed", error: { code: "MIGRATION_INCOMPATIBLE" } });
  expect(old.error?.message).toContain("2_contract");
  expect(on.host.deployments.current("shop")?.number).toBe(1);
  on.engine.images.set(imageOf("old"), {});
  const staged = { app: "shop", bundle: digestOf("b"), images: [imageOf("old")], redeploy: true };
  expect(await run(runner, "bundle.stage", staged)).toMatchObject({ error: { code: "MIGRATION_INCOMPATIBLE" } });
  expect(await run(runner, "bundle.stage", { ...staged, migrations: known })).toMatchObject({ state: "succeeded" });
  const fresh = { ...aRelease(on, "v2"), migrations: known };
  expect(await run(runner, "release.apply", fresh)).toMatchObject({ state: "succeeded" });
});

test("a login that the database does not take is told, without the password", async () => {
  await withDatabase("another-p4ssword", "postgres-again");
  const ended = await migrate({ "1_users": users });
  expect(ended).toMatchObject({ error: { code: "DATABASE_UNREACHABLE" } });
  expect(JSON.stringify(ended)).not.toContain("another-p4ssword");
  expect(await look({ "1_users": users })).toMatchObject({ drift: [{ path: "database" }] });
});

test("while the database cannot be asked, what it is known to have is not judged again", async () => {
  await migrate({ "1_users": users });
  const dropped =
    '-- ikoma:allow drop-column reason="test"\n-- ikoma:allow no-backup reason="test"\nalter table users drop column email;';
  await migrate({ "1_users": users, "2_drop": dropped });
  await on.host.containers.stop(on.engine.named("shop-accessories-db-1")?.Id ?? "");
  const unasked = await look({ "1_users": users, "2_drop": "alter table users drop column email;" });
  expect(unasked).toMatchObject({ drift: [{ path: "database" }], migrations: { pending: [] } });
  expect(unasked.migrations).not.toHaveProperty("refusal");
  const fresh = await look({ "1_users": users, "3_drop": "drop table users;" });
  expect(fresh.migrations?.refusal).toMatchObject({ code: "MIGRATION_REFUSED" });
});

test("what the server remarks is told, as far as it can be read", async () => {
  const loop = "do $$ begin for i in 1..300 loop raise notice 'row %', i; end loop; end $$;";
  const { key } = await migrate({ "1_loop": loop });
  const told = on.host.journal.events(key, 0).filter(({ type }) => type === "log");
  expect([told[0]?.message, told.at(-1)?.message]).toEqual(["row 1", "row 200"]);
});

test("a cancelled run is broken off on the server, and nothing of its file stays", async () => {
  const request = aRequest(
    "migration.apply",
    await inputOf({ "1_slow": "create table slow (); select pg_sleep(60);" }),
  );
  runner.start(request);
  await waitUntil("it sleeps", async () => {
    return (await column("SELECT query AS value FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)'")).length > 0;
  });
  runner.cancel(request.key);
  expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
  expect(await tables()).toEqual([]);
});

/** A way to the server that can be lost without a word: nothing comes through any more, in no direction, for nobody. */
async function losableWay(): Promise<{ port: number; lose: () => void } & Disposable> {
  const sockets: Socket[] = [];
  const way = createServer((caller) => {
    const onward = connect(server.port, "127.0.0.1");
    caller.pipe(onward).pipe(caller);
    for (const each of [caller, onward]) sockets.push(each.on("error", () => undefined));
  }).listen(0);
  await once(way, "listening");
  const lose = (): void => {
    way.close();
    for (const each of sockets) each.unpipe().pause();
  };
  const end = (): void => {
    lose();
    for (const each of sockets) each.destroy();
  };
  return { port: (way.address() as AddressInfo).port, lose, [Symbol.dispose]: end };
}

test("a cancelled run ends though the way to the server was lost without a word", async () => {
  using way = await losableWay();
  await withDatabase(password, "postgres-far", way.port);
  const request = aRequest("migration.apply", await inputOf({ "1_slow": "select pg_sleep(61);" }));
  runner.start(request);
  await waitUntil("it sleeps", async () => {
    return (await column("SELECT query AS value FROM pg_stat_activity WHERE query LIKE '%pg_sleep(61)'")).length > 0;
  });
  way.lose();
  runner.cancel(request.key);
  expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
});

test("a silent connection is probed long before the system's two hours are over", async () => {
  const probed = jest.spyOn(Socket.prototype, "setKeepAlive");
  await migrate({ "1_users": users });
  expect(probed.mock.calls).toContainEqual([true, 30_000]);
  probed.mockRestore();
});
