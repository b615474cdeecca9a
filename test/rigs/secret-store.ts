import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Client } from "pg";
import { findKeyHolder, type KeyHolder } from "../../src/core/policies/approver-key.ts";
import { writeVersion } from "../../src/core/secret-store/change-secret.ts";
import { createIdentity } from "../../src/core/secret-store/identity.ts";
import type { SecretKey } from "../../src/core/secret-store/sealed-version.ts";
import { storeAddress, type StoreAddress } from "../../src/core/secret-store/store-address.ts";
import { storeConfig, type StoreConfig } from "../../src/core/secret-store/store-config.ts";
import { setUpStore } from "../../src/core/secret-store/store-schema.ts";
import { StoreSession } from "../../src/core/secret-store/store-session.ts";
import type { LocalPostgres } from "./postgres.ts";
import { password, user } from "./postgres.ts";

/** People of a test's store: each has an SSH key to write with and an identity to read with. */
type Person = "anna" | "ben";

/** For tests: a secret store in a real PostgreSQL, of which anna is writer and recipient and ben is neither. */
export class SecretStoreRig implements AsyncDisposable {
  readonly folder: string;
  readonly server: LocalPostgres;
  readonly database: string;
  readonly config: StoreConfig;
  readonly recipients: Readonly<Record<Person, string>>;
  readonly writers: Readonly<Record<Person, string>>;
  #client: Promise<Client> | undefined;

  private constructor(made: Pick<SecretStoreRig, "folder" | "server" | "database" | "recipients" | "writers">) {
    this.folder = made.folder;
    this.server = made.server;
    this.database = made.database;
    this.recipients = made.recipients;
    this.writers = made.writers;
    this.config = storeConfig.parse({
      recipients: { anna: made.recipients.anna },
      writers: { anna: made.writers.anna },
    });
  }

  static async create(server: LocalPostgres): Promise<SecretStoreRig> {
    const folder = await mkdtemp(join(tmpdir(), "ikoma-store-"));
    const [database, anna, ben] = [
      await server.database(),
      await personIn(folder, "anna"),
      await personIn(folder, "ben"),
    ];
    const rig = new SecretStoreRig({
      folder,
      server,
      database,
      recipients: { anna: anna.recipient, ben: ben.recipient },
      writers: { anna: anna.publicKey, ben: ben.publicKey },
    });
    await using session = await rig.open({ isSetUp: true });
    await setUpStore(session, "the test's", { readers: [], writers: [] });
    return rig;
  }

  /** The environment in which somebody works. */
  env(person: Person = "anna"): { IKOMA_STORE_URL: string; IKOMA_STORE_IDENTITY_FILE: string } {
    return {
      IKOMA_STORE_URL: `postgres://${user}:${password}@127.0.0.1:${this.server.port}/${this.database}`,
      IKOMA_STORE_IDENTITY_FILE: join(this.folder, `${person}.identity`),
    };
  }

  keyFile(person: Person): string {
    return join(this.folder, person);
  }

  holder(person: Person): Promise<KeyHolder> {
    const search = { people: this.writers, purpose: "ikoma-secret", role: "writer", hint: "" } as const;
    return findKeyHolder(search, this.keyFile(person));
  }

  address(): Promise<StoreAddress> {
    return storeAddress(this.config, this.env());
  }

  async open(options: { isSetUp?: boolean } = {}): Promise<StoreSession> {
    return StoreSession.open(await this.address(), options);
  }

  /** Writes the version after `seen` of a secret, by anna. */
  async write(key: SecretKey, value: string, seen: number): Promise<void> {
    await using session = await this.open();
    await writeVersion(session, this.config, { key, value, seen }, await this.holder("anna"));
  }

  /** As whoever has the database itself. */
  async sql(text: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    this.#client ??= this.server.connect(this.database);
    const client = await this.#client;
    const { rows } = await client.query<Record<string, unknown>>(text, [...values]);
    return rows;
  }

  /** All that the database holds, as text. */
  async dump(): Promise<string> {
    const [versions, audit] = [
      await this.sql("SELECT *, encode(content, 'escape') AS readable FROM ikoma_store.secret_version"),
      await this.sql("SELECT * FROM ikoma_store.audit"),
    ];
    return JSON.stringify([versions, audit]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#client)?.end();
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function personIn(folder: string, name: Person): Promise<{ recipient: string; publicKey: string }> {
  const keyFile = join(folder, name);
  await promisify(execFile)("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", keyFile]);
  const { text, recipient } = await createIdentity();
  await writeFile(`${keyFile}.identity`, text, { mode: 0o600 });
  const publicKey = (await readFile(`${keyFile}.pub`, "utf8")).trim().split(" ").slice(0, 2).join(" ");
  return { recipient, publicKey };
}
