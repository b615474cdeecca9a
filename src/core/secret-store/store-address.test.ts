import { expect, test } from "@jest/globals";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { storeAddress } from "./store-address.ts";
import { storeConfig } from "./store-config.ts";

const certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
const config = (given: object = {}) => storeConfig.parse(given);

test.each([
  ["postgres://anna:s3cret@db.example/secrets", { host: "db.example", port: 5432, user: "anna", password: "s3cret" }],
  ["postgresql://anna:a%2Fb%40c@db.example:6432/secrets", { port: 6432, password: "a/b@c" }],
  ["postgres://db.example/secrets", { user: userInfo().username, password: undefined }],
  ["postgres://anna@[2001:db8::1]/secrets", { host: "2001:db8::1" }],
  ["postgres://anna@%2Fvar%2Frun%2Fpostgresql/secrets", { host: "/var/run/postgresql" }],
])("%s is taken apart", async (url, parts) => {
  const address = await storeAddress(config(), { IKOMA_STORE_URL: url });
  expect(address).toMatchObject({ database: "secrets", ...parts });
  expect(address.label).not.toContain("s3cret");
});

test.each([
  ["localhost", false],
  ["127.0.0.1", false],
  ["[::1]", false],
  ["%2Frun%2Fpostgresql", false],
  ["db.example", {}],
  ["10.0.0.1", {}],
  ["localhost.example", {}],
])("at %s TLS is %j", async (host, tls) => {
  const address = await storeAddress(config(), { IKOMA_STORE_URL: `postgres://anna@${host}/secrets` });
  expect(address.tls).toEqual(tls);
});

test("only the authority that the settings name may vouch for the server", async () => {
  const address = await storeAddress(config({ url: "postgres://db.example/secrets", caCert: certificate }), {});
  expect(address).toMatchObject({ host: "db.example", tls: { ca: certificate } });
});

test("where an authority is named, a server on this machine has to prove who it is too, except on a socket", async () => {
  const tlsAt = async (host: string) =>
    (await storeAddress(config({ caCert: certificate }), { IKOMA_STORE_URL: `postgres://anna@${host}/secrets` })).tls;
  expect(await tlsAt("127.0.0.1")).toEqual({ ca: certificate });
  expect(await tlsAt("%2Frun%2Fpostgresql")).toBe(false);
});

test("a password is never combined with the address of the settings", async () => {
  const env = { PGPASSWORD: "of-another", PGUSER: "somebody", PGHOST: "other.example" };
  const address = await storeAddress(config({ url: "postgres://db.example/secrets" }), env);
  expect(address).toMatchObject({ host: "db.example", user: userInfo().username, password: undefined });
  const wrong = "postgres://evil.example/secrets";
  const given = { IKOMA_STORE_URL: "postgres://anna:s3cret@db.example/secrets" };
  await expect(storeAddress(config({ url: wrong }), given)).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: "The environment names the store db.example:5432/secrets, and ikoma:store.url evil.example:5432/secrets.",
  });
  await expect(storeAddress(config({ url: "postgres://x@db.example:5432/secrets" }), given)).resolves.toMatchObject({
    user: "anna",
  });
});

test("settings with a password in the address are refused", () => {
  const { error } = storeConfig.safeParse({ url: "postgres://anna:s3cret@db.example/secrets" });
  expect(error?.issues[0]?.message).toMatch(/^a password in it/);
  expect(JSON.stringify(error)).not.toContain("s3cret");
});

test.each([
  "mysql://anna:s3cret@db.example/secrets",
  "postgres://anna:s3cret@db.example",
  "postgres://anna:s3cret@db.example/one/two",
  "postgres://anna:s3cret%E0@db.example/secrets",
  "postgres://anna:s3cret@db.example/secrets?sslmode=disable",
  "anna:s3cret@db.example/secrets",
])("%s is refused, and not repeated", async (url) => {
  const refused: unknown = await storeAddress(config(), { IKOMA_STORE_URL: url }).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringMatching(/^IKOMA_STORE_URL should have an address/) as unknown,
  });
  expect(String(refused)).not.toContain("s3cret");
});

test("the login is in a file that only its owner can read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-store-url-"));
  try {
    const file = join(folder, "url");
    await writeFile(file, "postgres://anna:s3cret@db.example/secrets\n", { mode: 0o600 });
    expect(await storeAddress(config(), { IKOMA_STORE_URL_FILE: file })).toMatchObject({ password: "s3cret" });
    await chmod(file, 0o644);
    await expect(storeAddress(config(), { IKOMA_STORE_URL_FILE: file })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      hint: `Run \`chmod 600 ${file}\`.`,
    });
    await expect(storeAddress(config(), {})).rejects.toMatchObject({ code: "CONFIG_MISSING" });
  } finally {
    await rm(folder, { recursive: true });
  }
});
