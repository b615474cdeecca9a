import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "@jest/globals";
import { createServer, connect } from "node:net";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { LocalPostgres, user } from "../../../test/rigs/postgres.ts";
import { SecretStoreRig } from "../../../test/rigs/secret-store.ts";
import { auditEntry, readAudit } from "./audit.ts";
import { purgeVersions, writeVersion } from "./change-secret.ts";
import { readStoredSecrets, type StoredValues, type WantedSecret } from "./read-stored-secrets.ts";
import { resignAll, rewrapAll } from "./reseal.ts";
import { sealValue, statementText } from "./sealed-version.ts";
import type { StoreConfig } from "./store-config.ts";
import { setUpStore } from "./store-schema.ts";
import { StoreSession } from "./store-session.ts";
import { newestVersions, versionsOfSecret } from "./stored-version.ts";

let server: LocalPostgres;
let rig: SecretStoreRig;

beforeAll(async () => {
  server = await LocalPostgres.start();
});
afterAll(() => server[Symbol.asyncDispose]());

/** A store of its own for each of the tests that follow, or, with `beforeAll`, one for all of them. */
function withStore(before = beforeEach, after = afterEach): void {
  before(async () => {
    rig = await SecretStoreRig.create(server);
  });
  after(() => rig[Symbol.asyncDispose]());
}

const keyOf = (name: string, app = "shop") => ({ environment: "prod", app, name });
const want = (name: string, version?: number, app = "shop"): WantedSecret => ({ app, variable: name, name, version });

/** What a change is refused for; a change that is made says so. */
const refusalOf = (change: Promise<unknown>): Promise<unknown> =>
  change.then(
    () => "it was done",
    (error: unknown) => error,
  );

async function set(name: string, value: string | undefined, seen = 0, app = "shop"): Promise<number> {
  await using session = await rig.open();
  const written = { key: keyOf(name, app), value, seen };
  return (await writeVersion(session, rig.config, written, await rig.holder("anna"))).version;
}

function read(wanted: readonly WantedSecret[], config: StoreConfig = rig.config): Promise<StoredValues> {
  return readStoredSecrets({ config, environment: "prod" }, wanted, rig.env());
}

describe("values", () => {
  withStore();
  test("the newest value is read, an older one by its version, and none is to be seen in the database", async () => {
    await set("KEY", "value-of-v1");
    await set("KEY", "value-of-v2", 1);
    await set("OTHER", "value-of-blog", 0, "blog");
    const wanted = [want("KEY"), { ...want("KEY", 1), variable: "OLD_KEY" }, want("OTHER", undefined, "blog")];
    expect(await read(wanted)).toEqual({
      shop: { KEY: "value-of-v2", OLD_KEY: "value-of-v1" },
      blog: { OTHER: "value-of-blog" },
    });
    const kept = await rig.dump();
    expect(kept).toContain("KEY");
    expect(kept).not.toMatch(/value-of|AGE-SECRET/);
  });

  test("all values of a run come by one connection", async () => {
    const names = Array.from({ length: 9 }, (_, index) => `KEY_${index}`);
    for (const name of names) await set(name, `value of ${name}`);
    let connections = 0;
    const counting = createServer((caller) => {
      connections += 1;
      const way = connect(server.port, "127.0.0.1");
      caller.pipe(way).pipe(caller);
    }).listen(0, "127.0.0.1");
    await once(counting, "listening");
    const { port } = counting.address() as AddressInfo;
    const env = { ...rig.env(), IKOMA_STORE_URL: rig.env().IKOMA_STORE_URL.replace(String(server.port), String(port)) };
    const store = { config: rig.config, environment: "prod" };
    const values = await readStoredSecrets(
      store,
      names.map((name) => want(name)),
      env,
    );
    counting.close();
    expect(Object.keys(values["shop"] ?? {})).toEqual(names);
    expect(values["shop"]).toMatchObject({ KEY_7: "value of KEY_7", KEY_8: "value of KEY_8" });
    expect(connections).toBe(1);
  });
});

describe("whoever has the database cannot", () => {
  withStore(beforeAll, afterAll);
  beforeAll(async () => {
    await set("KEY", "first");
    await set("KEY", "second", 1);
    await set("OTHER", "another");
    await set("KEY", "of the blog", 0, "blog");
    await rig.sql(`CREATE TABLE as_it_was AS TABLE ikoma_store.secret_version;
      ALTER TABLE ikoma_store.secret_version DISABLE TRIGGER versions_are_kept`);
  });
  beforeEach(async () => {
    await rig.sql("DELETE FROM ikoma_store.secret_version");
    await rig.sql("INSERT INTO ikoma_store.secret_version SELECT * FROM as_it_was");
  });

  const columns = "content_digest, content, wrapped_key, recipients, signer, signature";
  const copied = `environment, app, name, 3, created_at_ms, ${columns}`;
  const all = `environment, app, name, version, created_at_ms, ${columns}`;

  test.each([
    [
      "give another secret this one's name",
      `DELETE_KEYS; UPDATE ikoma_store.secret_version SET name = 'KEY', version = 2 WHERE name = 'OTHER'`,
    ],
    [
      "move an app's secret to another app",
      `DELETE_KEYS; UPDATE ikoma_store.secret_version SET app = 'shop' WHERE app = 'blog'`,
    ],
    [
      "bring an old version back as a new one",
      `INSERT INTO ikoma_store.secret_version (${all}) SELECT ${copied} FROM ikoma_store.secret_version WHERE app = 'shop' AND name = 'KEY' AND version = 1`,
    ],
    [
      "put an old version in the place of the newest",
      `UPDATE ikoma_store.secret_version AS new SET (${columns}) = (SELECT ${columns} FROM ikoma_store.secret_version AS old WHERE old.app = 'shop' AND old.name = 'KEY' AND old.version = 1) WHERE app = 'shop' AND name = 'KEY' AND version = 2`,
    ],
    [
      "swap the sealed value alone",
      `UPDATE ikoma_store.secret_version SET content = (SELECT content FROM ikoma_store.secret_version WHERE name = 'OTHER') WHERE app = 'shop' AND name = 'KEY'`,
    ],
    [
      "swap the key alone",
      `UPDATE ikoma_store.secret_version SET wrapped_key = (SELECT wrapped_key FROM ikoma_store.secret_version WHERE name = 'OTHER') WHERE app = 'shop' AND name = 'KEY'`,
    ],
    ["say that it was set at another time", `UPDATE ikoma_store.secret_version SET created_at_ms = created_at_ms + 1`],
    [
      "say that it is removed",
      `UPDATE ikoma_store.secret_version SET content_digest = NULL, content = NULL WHERE app = 'shop' AND name = 'KEY'`,
    ],
  ])("%s", async (_what, attack) => {
    const steps = attack.replace(
      "DELETE_KEYS;",
      `DELETE FROM ikoma_store.secret_version WHERE app = 'shop' AND name = 'KEY';`,
    );
    await rig.sql(steps);
    await expect(read([want("KEY")])).rejects.toMatchObject({
      code: "STORE_TAMPERED",
      message: expect.stringMatching(
        /^ikoma:secrets\.shop\.KEY: prod\/shop\/KEY version [1-3] does not count: /,
      ) as unknown,
    });
  });

  /** A value of the attacker's, sealed for those who read: recipients are public. */
  async function forge(signer: string, signature: (text: string) => Promise<string>): Promise<void> {
    const head = { ...keyOf("KEY"), version: 3, createdAtMs: Date.now() };
    const { content, contentDigest, wrappedKey } = await sealValue(head, "chosen by the attacker", [
      rig.recipients.anna,
    ]);
    await rig.sql(
      `INSERT INTO ikoma_store.secret_version (${all}) VALUES ('prod', 'shop', 'KEY', 3, $1, $2, $3, $4, $5, $6, $7)`,
      [
        head.createdAtMs,
        contentDigest,
        content,
        wrappedKey,
        [rig.recipients.anna],
        signer,
        await signature(statementText(head, contentDigest)),
      ],
    );
  }

  test("give it a value, signed by somebody who may not write", async () => {
    await forge(rig.writers.ben, (await rig.holder("ben")).sign);
    await expect(read([want("KEY")])).rejects.toMatchObject({
      code: "STORE_TAMPERED",
      message: expect.stringContaining("signed by nobody of `ikoma:store.writers`") as unknown,
    });
    // Who is a writer is said by the settings, and nothing else.
    const config = { ...rig.config, writers: rig.writers };
    expect(await read([want("KEY")], config)).toEqual({ shop: { KEY: "chosen by the attacker" } });
  });

  test("give it a value in a writer's name, with another's signature", async () => {
    await forge(rig.writers.anna, (await rig.holder("ben")).sign);
    await expect(read([want("KEY")])).rejects.toThrow("anna has not signed this");
  });

  test("let somebody read along: what is set is sealed for those of the settings, whatever the rows say", async () => {
    await rig.sql("UPDATE ikoma_store.secret_version SET recipients = recipients || $1::text", [rig.recipients.ben]);
    await set("KEY", "third", 2);
    const asBen = readStoredSecrets({ config: rig.config, environment: "prod" }, [want("KEY")], rig.env("ben"));
    await expect(asBen).rejects.toMatchObject({ code: "STORE_IDENTITY" });
  });

  test("but withhold the newest version, which a version in the settings notices", async () => {
    await rig.sql("DELETE FROM ikoma_store.secret_version WHERE app = 'shop' AND name = 'KEY' AND version = 2");
    expect(await read([want("KEY")])).toEqual({ shop: { KEY: "first" } });
    await expect(read([want("KEY", 2)])).rejects.toMatchObject({ code: "SECRET_NOT_FOUND" });
  });
});

describe("a database that answers for one environment with the rows of another", () => {
  withStore();
  beforeEach(async () => {
    const staging = { key: { ...keyOf("KEY"), environment: "staging" }, value: "of staging", seen: 0 };
    await using session = await rig.open();
    await writeVersion(session, rig.config, staging, await rig.holder("anna"));
    // Its owner says what `=` means to those who connect from now on: a row of staging is also one of prod.
    await rig.sql(`CREATE SCHEMA lies;
      CREATE FUNCTION lies.equal(text, text) RETURNS boolean LANGUAGE sql SET search_path = pg_catalog
        AS $$ SELECT $1 = $2 OR ($1 = 'staging' AND $2 = 'prod') $$;
      CREATE OPERATOR lies.= (LEFTARG = text, RIGHTARG = text, FUNCTION = lies.equal);
      ALTER DATABASE ${rig.database} SET search_path = lies, pg_catalog`);
  });

  test("gets no data key wrapped for those who read this one", async () => {
    await using session = await rig.open();
    const { readIdentities } = await import("./identity.ts");
    const wrapped = rewrapAll(session, "prod", [rig.recipients.anna, rig.recipients.ben], () =>
      readIdentities(rig.env()),
    );
    expect(await refusalOf(wrapped)).toMatchObject({
      code: "STORE_TAMPERED",
      message: "staging/shop/KEY version 1 does not count: the database gave it as one of prod.",
    });
    expect(await rig.sql("SELECT cardinality(recipients) AS readers FROM ikoma_store.secret_version")).toEqual([
      { readers: 1 },
    ]);
  });

  test("gets nothing signed, and nothing shown as this one's", async () => {
    await using session = await rig.open();
    const signed = resignAll(session, "prod", rig.writers, "anna", await rig.holder("ben"));
    expect(await refusalOf(signed)).toMatchObject({ code: "STORE_TAMPERED" });
    expect(await refusalOf(newestVersions(session, "prod", undefined))).toMatchObject({ code: "STORE_TAMPERED" });
    expect(await refusalOf(versionsOfSecret(session, keyOf("KEY")))).toMatchObject({
      code: "STORE_TAMPERED",
      message: "staging/shop/KEY version 1 does not count: the database gave it as one of prod/shop/KEY.",
    });
    expect(await rig.sql("SELECT signer FROM ikoma_store.secret_version")).toEqual([
      { signer: expect.stringContaining(rig.writers.anna) as unknown },
    ]);
  });
});

describe("changes", () => {
  withStore();
  test("of two at the same time one is written, and the other is told", async () => {
    await set("KEY", "before");
    const both = await Promise.allSettled([set("KEY", "one", 1), set("KEY", "other", 1)]);
    const [won, lost] = [
      both.find((each) => each.status === "fulfilled"),
      both.find((each) => each.status === "rejected"),
    ];
    expect(won?.value).toBe(2);
    expect(lost?.reason).toMatchObject({
      code: "SECRET_CHANGED",
      message: expect.stringContaining("is at version 2") as unknown,
    });
    await using session = await rig.open();
    expect((await readAudit(session, keyOf("KEY"))).map(({ action, version }) => [action, version])).toEqual([
      ["set", 2],
      ["set", 1],
    ]);
  });

  test("one that breaks off leaves nothing", async () => {
    await rig.sql(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'power'; END $$;
      CREATE TRIGGER fails BEFORE INSERT ON ikoma_store.audit FOR EACH ROW EXECUTE FUNCTION fail()`);
    await expect(set("KEY", "value")).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    expect(await rig.sql("SELECT * FROM ikoma_store.secret_version")).toEqual([]);
  });

  test("a removal hides the secret, its versions stay until they are purged", async () => {
    await set("KEY", "first");
    await set("KEY", "second", 1);
    await using session = await rig.open();
    await expect(purgeVersions(session, keyOf("KEY"), undefined)).rejects.toMatchObject({
      code: "USAGE",
      hint: expect.stringMatching(/or name an older version: --at N\.$/) as unknown,
    });
    await expect(purgeVersions(session, keyOf("KEY"), 2)).rejects.toMatchObject({ code: "USAGE" });
    await set("KEY", undefined, 2);
    await expect(read([want("KEY")])).rejects.toMatchObject({
      code: "SECRET_NOT_FOUND",
      message: "ikoma:secrets.shop.KEY: prod/shop/KEY version 3 was removed by anna.",
    });
    expect(await read([want("KEY", 2)])).toEqual({ shop: { KEY: "second" } });
    expect(await purgeVersions(session, keyOf("KEY"), 1)).toEqual([1]);
    expect(await read([want("KEY", 2)])).toEqual({ shop: { KEY: "second" } });
    expect(await purgeVersions(session, keyOf("KEY"), undefined)).toEqual([2]);
    await expect(read([want("KEY", 2)])).rejects.toThrow("version 2 was purged");
    expect(await rig.sql("SELECT content FROM ikoma_store.secret_version WHERE content IS NOT NULL")).toEqual([]);
    expect(await set("KEY", "again", 3)).toBe(4);
    expect(await read([want("KEY")])).toEqual({ shop: { KEY: "again" } });
  });

  test("where nobody is left who could read, a secret can be removed all the same", async () => {
    await set("KEY", "first");
    await using session = await rig.open();
    const anna = await rig.holder("anna");
    const change = (value: string | undefined) =>
      writeVersion(session, { recipients: {} }, { key: keyOf("KEY"), value, seen: 1 }, anna);
    expect(await refusalOf(change("second"))).toMatchObject({ code: "CONFIG_MISSING" });
    expect(await change(undefined)).toMatchObject({ version: 2 });
  });

  test("what is asked for and not there is named by its setting", async () => {
    await expect(read([want("NONE")])).rejects.toMatchObject({
      code: "SECRET_NOT_FOUND",
      message: "ikoma:secrets.shop.NONE: The store has no prod/shop/NONE.",
      hint: expect.stringContaining("ikoma secrets set shop NONE") as unknown,
    });
  });
});

describe("people", () => {
  withStore();
  const identity = async (person: "anna" | "ben") => {
    const { readIdentities } = await import("./identity.ts");
    return readIdentities(rig.env(person));
  };
  const asBen = () => readStoredSecrets({ config: rig.config, environment: "prod" }, [want("KEY", 1)], rig.env("ben"));

  test("a recipient who comes reads old versions too, one who goes reads none, and what they knew is told", async () => {
    await set("KEY", "first");
    await set("KEY", "second", 1);
    await using session = await rig.open();
    const { anna, ben } = rig.recipients;
    await expect(rewrapAll(session, "prod", [anna, ben], () => identity("ben"))).rejects.toMatchObject({
      code: "STORE_IDENTITY",
    });
    expect(await rewrapAll(session, "prod", [anna, ben], () => identity("anna"))).toMatchObject({ versions: 2 });
    expect(await asBen()).toEqual({ shop: { KEY: "first" } });
    // What a run that broke off has not told, the next one does.
    const without = () => rewrapAll(session, "prod", [anna], () => identity("anna"));
    const told = { versions: 2, unreadable: 0, secrets: [{ app: "shop", name: "KEY" }] };
    expect([await without(), await without()]).toEqual([told, told]);
    await expect(asBen()).rejects.toMatchObject({ code: "STORE_IDENTITY" });
  });

  test("nobody's identity is asked for where there is no value", async () => {
    await set("KEY", undefined);
    await using session = await rig.open();
    const none = () => Promise.reject(new Error("asked"));
    expect(await rewrapAll(session, "prod", [rig.recipients.anna], none)).toEqual({
      versions: 0,
      unreadable: 0,
      secrets: [],
    });
  });

  test("who goes reads no more, though a row says that it was never theirs", async () => {
    await set("KEY", "first");
    await using session = await rig.open();
    const { anna, ben } = rig.recipients;
    await rewrapAll(session, "prod", [anna, ben], () => identity("anna"));
    await rig.sql("UPDATE ikoma_store.secret_version SET recipients = ARRAY[$1::text]", [anna]);
    expect(await rewrapAll(session, "prod", [anna], () => identity("anna"))).toMatchObject({
      versions: 1,
      secrets: [{ app: "shop", name: "KEY" }],
    });
    await expect(asBen()).rejects.toMatchObject({ code: "STORE_IDENTITY" });
  });

  test("after an identity was lost, what was set anew can be given to others, and older versions are left alone", async () => {
    await set("KEY", "first");
    const { anna, ben } = rig.recipients;
    await using session = await rig.open();
    await expect(rewrapAll(session, "prod", [ben], () => identity("ben"))).rejects.toMatchObject({
      code: "STORE_IDENTITY",
    });
    const second = { key: keyOf("KEY"), value: "second", seen: 1 };
    await writeVersion(session, { recipients: { ben } }, second, await rig.holder("anna"));
    const given = await rewrapAll(session, "prod", [ben, anna], () => identity("ben"));
    expect(given).toMatchObject({ versions: 1, unreadable: 1 });
    expect(await read([want("KEY")])).toEqual({ shop: { KEY: "second" } });
  });

  test("who vouches for a writer that leaves signs only what that writer has signed", async () => {
    await set("KEY", "first");
    await set("OTHER", "another");
    await using session = await rig.open();
    const ben = await rig.holder("ben");
    const onlyBen = { ...rig.config, writers: { ben: rig.writers.ben } };
    await rig.sql("UPDATE ikoma_store.secret_version SET created_at_ms = created_at_ms + 1 WHERE name = 'OTHER'");
    await expect(resignAll(session, "prod", rig.writers, "anna", ben)).rejects.toMatchObject({
      code: "STORE_TAMPERED",
    });
    await expect(read([want("KEY")], onlyBen)).rejects.toMatchObject({ code: "STORE_TAMPERED" });
    await rig.sql("UPDATE ikoma_store.secret_version SET created_at_ms = created_at_ms - 1 WHERE name = 'OTHER'");
    expect(await resignAll(session, "prod", rig.writers, "anna", ben)).toBe(2);
    expect(await read([want("KEY")], onlyBen)).toEqual({ shop: { KEY: "first" } });
  });

  test("a version that gets another signature while it is vouched for is left as it is", async () => {
    await set("KEY", "first");
    await using session = await rig.open();
    const ben = await rig.holder("ben");
    const slow = {
      ...ben,
      sign: async (text: string) => {
        await rig.sql("UPDATE ikoma_store.secret_version SET signature = 'another'");
        return ben.sign(text);
      },
    };
    await expect(resignAll(session, "prod", rig.writers, "anna", slow)).rejects.toMatchObject({
      code: "SECRET_CHANGED",
    });
    expect(await rig.sql("SELECT signature FROM ikoma_store.secret_version")).toEqual([{ signature: "another" }]);
  });
});

describe("the database's own rights", () => {
  withStore();
  test("a reader reads and a writer adds; neither changes what is written or what was noted", async () => {
    await set("KEY", "first");
    const [reader, writer] = [`reader_${rig.database}`, `writer_${rig.database}`];
    await rig.sql(`CREATE ROLE ${reader} LOGIN PASSWORD 'r'; CREATE ROLE ${writer} LOGIN PASSWORD 'w'`);
    await using owner = await rig.open();
    expect(await setUpStore(owner, "it", { readers: [reader], writers: [writer] })).toBe(false);
    await expect(setUpStore(owner, "it", { readers: ["nobody_here"], writers: [] })).rejects.toMatchObject({
      code: "USAGE",
    });
    const address = await rig.address();
    await using asReader = await StoreSession.open({ ...address, user: reader, password: "r" });
    await using asWriter = await StoreSession.open({ ...address, user: writer, password: "w" });
    const next = { key: keyOf("KEY"), value: "second", seen: 1 };
    const anna = await rig.holder("anna");
    expect(await versionsOfSecret(asReader, keyOf("KEY"))).toHaveLength(1);
    await expect(writeVersion(asReader, rig.config, next, anna)).rejects.toMatchObject({ code: "STORE_AUTH" });
    expect(await writeVersion(asWriter, rig.config, next, anna)).toMatchObject({ version: 2 });
    for (const refused of [
      "UPDATE ikoma_store.secret_version SET name = 'X'",
      "DELETE FROM ikoma_store.secret_version",
      "DELETE FROM ikoma_store.audit",
      "UPDATE ikoma_store.audit SET who = 'nobody'",
      "UPDATE ikoma_store.meta SET schema_version = 0",
      // When something was done, and by which role, nobody makes up.
      "INSERT INTO ikoma_store.audit (who, action, database_role) VALUES ('x', 'set', 'another')",
      "INSERT INTO ikoma_store.audit (who, action, at) VALUES ('x', 'set', '2020-01-01')",
    ])
      await expect(asWriter.rows(refused)).rejects.toMatchObject({ code: "STORE_AUTH" });
    // Not even the owner, by mistake.
    await expect(owner.rows("DELETE FROM ikoma_store.audit")).rejects.toMatchObject({ code: "STORE_AUTH" });
    const [newest] = await readAudit(owner, keyOf("KEY"));
    expect(newest).toMatchObject({ action: "set", version: 2, role: writer });
    // As the guide says it for somebody who leaves: a role with rights cannot be dropped.
    await expect(rig.sql(`DROP ROLE ${writer}`)).rejects.toThrow("cannot be dropped");
    await rig.sql(`DROP OWNED BY ${writer}; DROP ROLE ${writer}`);
    expect(await versionsOfSecret(owner, keyOf("KEY"))).toHaveLength(2);
  });

  test("only the owner gives rights: to somebody else PostgreSQL would say no more than a warning", async () => {
    const [reader, writer] = [`reader_${rig.database}`, `writer_${rig.database}`];
    await rig.sql(`CREATE ROLE ${reader} LOGIN PASSWORD 'r'; CREATE ROLE ${writer} LOGIN PASSWORD 'w'`);
    await using owner = await rig.open();
    await setUpStore(owner, "it", { readers: [], writers: [writer] });
    await using asWriter = await StoreSession.open({ ...(await rig.address()), user: writer, password: "w" });
    expect(await refusalOf(setUpStore(asWriter, "it", { readers: [reader], writers: [] }))).toMatchObject({
      code: "STORE_AUTH",
      message: `The store it is ${user}'s, who alone can give roles their rights.`,
    });
    // Without roles there is nothing that it could not do.
    expect(await setUpStore(asWriter, "it", { readers: [], writers: [] })).toBe(false);
  });

  test("a right that an older version gave too widely is narrowed when rights are given again", async () => {
    const reader = `reader_${rig.database}`;
    await rig.sql(`CREATE ROLE ${reader} LOGIN PASSWORD 'r'; GRANT INSERT ON ikoma_store.audit TO ${reader}`);
    await using owner = await rig.open();
    await setUpStore(owner, "it", { readers: [reader], writers: [] });
    await using asReader = await StoreSession.open({ ...(await rig.address()), user: reader, password: "r" });
    const forged = "INSERT INTO ikoma_store.audit (who, action, database_role) VALUES ('x', 'get', 'another')";
    expect(await refusalOf(asReader.rows(forged))).toMatchObject({ code: "STORE_AUTH" });
    await auditEntry(asReader, { action: "get", ...keyOf("KEY"), version: 1 });
    expect(await readAudit(owner, keyOf("KEY"))).toMatchObject([{ action: "get", role: reader }]);
  });

  test("a store of a newer version is left alone", async () => {
    await rig.sql("UPDATE ikoma_store.meta SET schema_version = 99");
    await expect(read([want("KEY")])).rejects.toMatchObject({ code: "STORE_NEWER" });
    await using session = await rig.open({ isSetUp: true });
    await expect(setUpStore(session, "it", { readers: [], writers: [] })).rejects.toMatchObject({
      code: "STORE_NEWER",
    });
  });

  test("a database without a store, and two who make it at once", async () => {
    await rig.sql("DROP SCHEMA ikoma_store CASCADE");
    await expect(rig.open()).rejects.toMatchObject({ code: "STORE_MISSING" });
    const make = async () => {
      await using session = await rig.open({ isSetUp: true });
      return await setUpStore(session, "it", { readers: [], writers: [] });
    };
    expect((await Promise.all([make(), make()])).sort()).toEqual([false, true]);
  });
});
