import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { appendFile, chown, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { Client, type ClientConfig } from "pg";
import { waitUntil } from "../lab/wait-until.ts";
import { makeCertificates } from "./certificates.ts";
import { end, hasEnded, onOwnPort } from "./own-port.ts";

const run = promisify(execFile);
const startTimeoutMs = 30_000;

/** Login of the server of a test. */
export const user = "tester";
export const password = "s3cret-of-the-test";

/** For tests: a real PostgreSQL for this machine and the lab's, in a folder of its own, with a database for each test. */
export class LocalPostgres implements AsyncDisposable {
  readonly port: number;
  readonly #folder: string;
  readonly #server: ChildProcess;
  readonly #clients: Client[] = [];
  #made = 0;

  private constructor(folder: string, port: number, server: ChildProcess) {
    this.#folder = folder;
    this.port = port;
    this.#server = server;
  }

  /** Certificate of the authority that the server's is from, as PEM text; it is there where it was started with `tls`. */
  authority(): Promise<string> {
    return readFile(join(this.#folder, "ca.pem"), "utf8");
  }

  /** @param tls who its certificate is for: `IP:127.0.0.1`; without it, it encrypts nothing */
  static async start(tls?: string): Promise<LocalPostgres> {
    const folder = await mkdtemp(join(tmpdir(), "ikoma-postgres-"));
    const [bin, owner] = await Promise.all([programs(), account()]);
    const data = join(folder, "data");
    if (owner.uid !== undefined && owner.gid !== undefined) await chown(folder, owner.uid, owner.gid);
    await writeFile(join(folder, "password"), password);
    await run(
      join(bin, "initdb"),
      ["-D", data, "-U", user, `--pwfile=${join(folder, "password")}`, "--auth=scram-sha-256", "--no-sync"],
      { ...owner, cwd: folder },
    );
    await appendFile(
      join(data, "pg_hba.conf"),
      "host all all 127.0.0.0/8 scram-sha-256\nhost all all samenet scram-sha-256\n",
    );
    // Of one family alone: with both it would be content with the one where the port is free.
    const settings = ["listen_addresses=0.0.0.0", `unix_socket_directories=${folder}`, "fsync=off"];
    if (tls !== undefined) settings.push(...(await certified(folder, tls, owner)));
    const options = { ...owner, cwd: folder, stdio: "ignore" as const };
    return onOwnPort([20_000, 30_000], async (port) => {
      const words = [`port=${port}`, ...settings].flatMap((each) => ["-c", each]);
      const started = new LocalPostgres(folder, port, spawn(join(bin, "postgres"), ["-D", data, ...words], options));
      if (await started.#isOwn()) return started;
      await end(started.#server, "SIGINT");
      return undefined;
    });
  }

  /** Makes an empty database and gives its name. */
  async database(): Promise<string> {
    this.#made += 1;
    const name = `test_${this.#made}`;
    const client = await this.connect("postgres");
    await client.query(`CREATE DATABASE ${name}`);
    await client.end();
    return name;
  }

  /** A session, which ends with the server. `port`: of a pooler in front of it. */
  async connect(database: string, port = this.port): Promise<Client> {
    const client = await connected({ port, database });
    this.#clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
    await end(this.#server, "SIGINT");
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Waits until its port is answered, or it has ended: whether it is this server that answers. */
  async #isOwn(): Promise<boolean> {
    const folder = await waitUntil(
      "PostgreSQL answers",
      async () => (hasEnded(this.#server) ? "none" : await dataDirectory(this.port)),
      { deadlineMs: startTimeoutMs },
    );
    return folder === join(this.#folder, "data");
  }
}

async function dataDirectory(port: number): Promise<string | undefined> {
  const client = await connected({ port, database: "postgres", connectionTimeoutMillis: 5_000 });
  const { rows } = await client.query<{ data_directory: string }>("SHOW data_directory");
  await client.end();
  return rows[0]?.data_directory;
}

async function connected(to: ClientConfig & { port: number; database: string }): Promise<Client> {
  const client = new Client({ host: "127.0.0.1", user, password, application_name: "test", ...to });
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** Debian keeps them out of PATH, by version. */
async function programs(): Promise<string> {
  const root = "/usr/lib/postgresql";
  const versions = await readdir(root).catch(() => []);
  const newest = versions.map(Number).sort((a, b) => b - a)[0];
  if (newest === undefined) throw new Error("the tests of databases need Debian's package postgresql");
  return join(root, String(newest), "bin");
}

/** Settings of a server with a certificate of its own. */
async function certified(folder: string, addresses: string, { uid, gid }: Account): Promise<string[]> {
  await makeCertificates(folder, "server", addresses);
  const [certificate, key] = [join(folder, "server.pem"), join(folder, "server.key")];
  if (uid !== undefined && gid !== undefined) await chown(key, uid, gid);
  return ["ssl=on", `ssl_cert_file=${certificate}`, `ssl_key_file=${key}`];
}

interface Account {
  uid?: number;
  gid?: number;
}

/** PostgreSQL and PgBouncer refuse to be run by root. */
export async function account(): Promise<Account> {
  if (process.getuid?.() !== 0) return {};
  const [, , uid, gid] = /^postgres:.*$/m.exec(await readFile("/etc/passwd", "utf8"))?.[0].split(":") ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}
