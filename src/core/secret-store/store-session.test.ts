import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { execFile } from "node:child_process";
import dns from "node:dns";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { inspect, promisify } from "node:util";
import { LocalPostgres, password, user } from "../../../test/rigs/postgres.ts";
import { SecretStoreRig } from "../../../test/rigs/secret-store.ts";
import { storeAddress, type StoreAddress } from "./store-address.ts";
import { StoreSession } from "./store-session.ts";

let server: LocalPostgres;
let rig: SecretStoreRig;

beforeAll(async () => {
  server = await LocalPostgres.start();
  rig = await SecretStoreRig.create(server);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

/** An address of this machine that is not its own loopback: to get there TLS is asked for. */
function outerAddress(): string {
  const found = Object.values(networkInterfaces())
    .flat()
    .find((each) => each?.family === "IPv4" && !each.internal);
  if (found === undefined) throw new Error("this test needs a network interface besides loopback");
  return found.address;
}

const refused = (address: StoreAddress, timeoutMs?: number): Promise<unknown> =>
  StoreSession.open(address, timeoutMs === undefined ? {} : { timeoutMs }).then(
    () => "it was opened",
    (error: unknown) => error,
  );

test("a wrong password is told without it", async () => {
  const error = await refused({ ...(await rig.address()), password: "another-s3cret" });
  expect(error).toMatchObject({
    code: "STORE_AUTH",
    message: expect.stringContaining("password authentication failed") as unknown,
  });
  expect(String(error)).not.toContain("s3cret");
});

test("the password of the environment's PGPASSWORD is not sent to an address without one", async () => {
  process.env["PGPASSWORD"] = password;
  try {
    expect(await refused({ ...(await rig.address()), password: undefined })).toMatchObject({
      code: "STORE_AUTH",
      message: expect.stringContaining("none was given") as unknown,
    });
  } finally {
    delete process.env["PGPASSWORD"];
  }
});

test("a server that takes the connection and says nothing is not waited for", async () => {
  const silent = createServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = { ...(await rig.address()), port: (silent.address() as AddressInfo).port };
  expect(await refused(address, 200)).toMatchObject({
    code: "STORE_UNREACHABLE",
    hint: expect.stringContaining("--with-secrets") as unknown,
  });
  silent.close();
});

test("a server that says the password is told without it, and its words are not kept", async () => {
  const fields = ["SFATAL", "C08P01", "Mno login anna:another-s3cret here"].map((each) => `${each}\0`).join("");
  const length = Buffer.alloc(4);
  length.writeInt32BE(Buffer.byteLength(fields) + 5);
  const talkative = createServer((socket) => {
    socket.once("data", () => socket.end(Buffer.concat([Buffer.from("E"), length, Buffer.from(`${fields}\0`)])));
  }).listen(0, "127.0.0.1");
  await once(talkative, "listening");
  const { port } = talkative.address() as AddressInfo;
  const error = await refused({ ...(await rig.address()), port, password: "another-s3cret" });
  talkative.close();
  expect(error).toMatchObject({ message: expect.stringContaining("no login anna:[secret] here") as unknown });
  expect(inspect(error)).not.toContain("s3cret");
});

test("of a name with several addresses, none of which answers, it is told why", async () => {
  const both = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
  type Answer = (error: null, addresses: typeof both) => void;
  const answer = (_name: string, _options: object, done: Answer): void => {
    done(null, both);
  };
  const lookup = jest.spyOn(dns, "lookup").mockImplementation(answer as never);
  try {
    expect(await refused({ ...(await rig.address()), host: "db.example", port: 9 })).toMatchObject({
      code: "STORE_UNREACHABLE",
      message: expect.stringMatching(/cannot be reached: connect ECONNREFUSED 127\.0\.0\.1:9\.$/) as unknown,
    });
  } finally {
    lookup.mockRestore();
  }
});

test("over a network a server without TLS is not spoken with, and one with it has to prove who it is", async () => {
  const host = outerAddress();
  const at = (port: number, database: string, caCert?: string): Promise<StoreAddress> => {
    const env = { IKOMA_STORE_URL: `postgres://${user}:${password}@${host}:${port}/${database}` };
    return storeAddress({ ...rig.config, ...(caCert !== undefined && { caCert }) }, env);
  };
  expect(await refused(await at(server.port, rig.database))).toMatchObject({
    code: "STORE_UNREACHABLE",
    message: expect.stringContaining("does not support SSL") as unknown,
  });

  await using secure = await LocalPostgres.start(`IP:${host}`);
  await using inSecure = await SecretStoreRig.create(secure);
  expect(await refused(await at(secure.port, inSecure.database))).toMatchObject({
    code: "STORE_UNREACHABLE",
    message: expect.stringMatching(/unable to verify/) as unknown,
  });
  // Not even where the environment tells Node to believe everybody.
  const url = `postgres://${user}:${password}@${host}:${secure.port}/${inSecure.database}`;
  const gullible = { ...process.env, IKOMA_STORE_URL: url, NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  expect(await openedBy(gullible)).toMatch(/unable to verify/);
  await using session = await StoreSession.open(await at(secure.port, inSecure.database, await secure.authority()));
  expect(await session.rows("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).toEqual([{ ssl: true }]);
});

/** What a process with this environment says of the store: Node reads it when it starts. */
async function openedBy(env: NodeJS.ProcessEnv): Promise<string> {
  const script = `
    const [{ storeAddress }, { storeConfig }, { StoreSession }] = await Promise.all(
      ["address", "config", "session"].map((each) => import(\`${import.meta.dirname}/store-\${each}.ts\`)));
    const address = await storeAddress(storeConfig.parse({}));
    const told = await StoreSession.open(address).then(() => "it was opened", (error) => error.message);
    console.log(told);
    process.exit();`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env });
  return stdout;
}
