import { expect, test } from "@jest/globals";
import { IkomaError } from "../errors.ts";
import { describeTarget, readDatabaseUrl, targetOf } from "./database-url.ts";

/** Code and message of what is thrown, or what was read. */
function read(url: string, hasOwnAuthority?: boolean): unknown {
  try {
    return readDatabaseUrl(url, hasOwnAuthority);
  } catch (error) {
    return error instanceof IkomaError ? `${error.code}: ${error.message} ${error.hint}` : error;
  }
}

test("a URL is read as its parts, with what is encoded in them", () => {
  expect(read("postgresql://postgres.ref:p%40ss%2Fw%23rd@aws-0-eu.pooler.supabase.com:5432/postgres")).toEqual({
    host: "aws-0-eu.pooler.supabase.com",
    port: 5432,
    user: "postgres.ref",
    password: "p@ss/w#rd",
    database: "postgres",
    isEncrypted: true,
  });
  expect(read("postgres://me@[2001:db8::1]/shop?sslmode=require&channel_binding=require")).toMatchObject({
    host: "2001:db8::1",
    port: 5432,
    password: undefined,
  });
});

test("a target is told without the password", () => {
  const told = targetOf(readDatabaseUrl("postgres://me:hunter22@[2001:db8::1]:6000/shop"));
  expect(describeTarget(told)).toBe("shop at [2001:db8::1]:6000 as me");
  expect(JSON.stringify(told)).not.toContain("hunter22");
});

test.each([
  ["hunter22", "cannot be read"],
  ["mysql://me:hunter22@db.example.com/shop", "does not begin with postgresql://"],
  ["postgres://me:hunter22@db.example.com", "does not say host, user and database"],
  ["postgres://db.example.com/hunter22", "does not say host, user and database"],
  ["postgres://me:hunter22#more@db.example.com/shop", "cannot be read"],
  ["postgres://me:hunter22%@db.example.com/shop", "has a % that begins no encoded character"],
  ["postgres://me:[YOUR-PASSWORD]@db.example.com/shop", "still has the placeholder"],
  ["postgres://me:hunter22@db.example.com/shop?host=other", "has the parameter host"],
  ["postgres://me:hunter22@db.example.com/shop?sslmode=no-verify", "has a sslmode that is not known"],
])("%s is refused, and nothing of it is told", (url, why) => {
  const told = read(url);
  expect(told).toContain(`DATABASE_URL_INVALID: The database's URL ${why}`);
  expect(told).not.toContain("hunter22");
});

test.each(["93.184.216.34", "db.example.com", "db", "[2001:db8::1]", "172.32.0.1"])(
  "%s is not spoken to without encryption",
  (host) => {
    expect(read(`postgres://me:hunter22@${host}/shop?sslmode=disable`)).toContain("over the internet");
  },
);

test.each(["10.1.2.3", "172.31.0.1", "192.168.1.1", "[fd00::1]", "100.100.1.1"])(
  "%s, on a private network, only where the URL says so",
  (host) => {
    expect(read(`postgres://me@${host}/shop?sslmode=disable`)).toMatchObject({ isEncrypted: false });
    expect(read(`postgres://me@${host}/shop`)).toMatchObject({ isEncrypted: true });
  },
);

test.each(["10.1.2.3", "127.0.0.1"])(
  "an authority for %s, which is not to be asked who it is, is a contradiction",
  (host) => {
    expect(read(`postgres://me:hunter22@${host}/shop?sslmode=disable`, true)).toMatch(
      /^DATABASE_URL_INVALID: The database's URL says sslmode=disable, and `caCert` says who/,
    );
  },
);

test("a socket is another machine's, if anybody's", () => {
  expect(read("postgres://me@%2Fvar%2Frun%2Fpostgresql/shop?sslmode=disable")).toContain("does not say host");
});

test.each(["127.0.0.1", "localhost", "[::1]"])("%s needs no encryption, and has it where it is asked for", (host) => {
  expect(read(`postgres://me@${host}/shop`)).toMatchObject({ isEncrypted: false });
  expect(read(`postgres://me@${host}/shop?sslmode=verify-full`)).toMatchObject({ isEncrypted: true });
  expect(read(`postgres://me@${host}/shop`, true)).toMatchObject({ isEncrypted: true });
});

test.each([
  "postgres://postgres.ref:hunter22@aws-0-eu-west-1.pooler.supabase.com:6543/postgres",
  "postgres://postgres:hunter22@db.ref.supabase.co:6543/postgres",
  "postgres://me:hunter22@ep-cool-1234-pooler.eu-central-1.aws.neon.tech/shop",
  "postgres://me:hunter22@db.example.com/shop?pgbouncer=true",
])("a pooler in transaction mode is known by its address: %s", (url) => {
  expect(read(url)).toMatch(/^DATABASE_POOLED: .*session mode/);
  expect(read(url)).not.toContain("hunter22");
});

test.each([
  "postgres://postgres.ref@aws-0-eu-west-1.pooler.supabase.com:5432/postgres",
  "postgres://me@ep-cool-1234.eu-central-1.aws.neon.tech/shop",
  "postgres://me@db.example.com:6543/shop",
])("what only looks like one is left to be tried: %s", (url) => {
  expect(read(url)).toMatchObject({ isEncrypted: true });
});
