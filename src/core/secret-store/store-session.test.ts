import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { appendFile, chown, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import dns from "node:dns";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
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
  const env = { IKOMA_STORE_URL: `postgres://${user}:${password}@${host}:${server.port}/${rig.database}` };
  expect(await refused(await storeAddress(rig.config, env))).toMatchObject({
    code: "STORE_UNREACHABLE",
    message: expect.stringContaining("does not support SSL") as unknown,
  });

  const caCert = await switchTlsOn(host);
  expect(await refused(await storeAddress(rig.config, env))).toMatchObject({
    code: "STORE_UNREACHABLE",
    message: expect.stringMatching(/self-signed certificate/) as unknown,
  });
  // Not even where the environment tells Node to believe everybody.
  const gullible = { ...process.env, ...env, NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  expect(await openedBy(gullible)).toMatch(/self-signed certificate/);
  await using session = await StoreSession.open(await storeAddress({ ...rig.config, caCert }, env));
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

/** Gives the server a certificate for this address, and lets others in; answers the certificate. */
async function switchTlsOn(host: string): Promise<string> {
  const [row] = await rig.sql("SHOW hba_file");
  const hba = String(row?.["hba_file"]);
  const folder = await mkdtemp(join(tmpdir(), "ikoma-store-tls-"));
  try {
    const [key, cert] = [join(dirname(hba), "server.key"), join(dirname(hba), "server.crt")];
    const what = ["-subj", "/CN=store", "-addext", `subjectAltName=IP:${host}`, "-days", "2"];
    await promisify(execFile)(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        ...what,
        "-keyout",
        key,
        "-out",
        cert,
      ],
      { cwd: folder },
    );
    const { uid, gid } = await stat(hba);
    await Promise.all([
      chown(key, uid, gid),
      chown(cert, uid, gid),
      appendFile(hba, "hostssl all all all scram-sha-256\n"),
    ]);
    await rig.sql("ALTER SYSTEM SET ssl = on");
    await rig.sql("SELECT pg_reload_conf()");
    await sslIsOn();
    return await readFile(cert, "utf8");
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Each connection takes the settings as they are when it is made. */
async function sslIsOn(): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await rig.sql("SHOW ssl"))[0]?.["ssl"] === "on") return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error("the server did not switch TLS on");
}
