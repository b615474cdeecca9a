import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { IkomaError } from "../../core/errors.ts";
import { redactor } from "../operations/redaction.ts";
import type { AccessoryDatabase } from "./accessory-database.ts";

const connectTimeoutMs = 10_000;
const retryMs = 100;
/** The server is not there yet: nobody listens, or it says that it is starting up (SQLSTATE 57P03). */
const notYet = ["ECONNREFUSED", "ECONNRESET", "57P03"];

/** How a session shows itself to whoever looks at the server, and who is told what the server remarks. */
export interface SessionOptions {
  readonly applicationName: string;
  readonly onNotice?: (message: string) => void;
  /**
   * How long to wait for a server that is just starting, in ms: the official image sets a new database up with one that
   * listens on no address, though health checks of many find it well. Without it none is waited for.
   */
  readonly patienceMs?: number;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

/** One connection to an app's database. */
export class DatabaseSession implements AsyncDisposable {
  readonly #client: Client;
  readonly #database: AccessoryDatabase;
  /** Of the server's process. */
  #pid = 0;

  private constructor(client: Client, database: AccessoryDatabase) {
    this.#client = client;
    this.#database = database;
  }

  /**
   * Connects directly to the server: a pooler would hand the session's locks to others. The library is loaded with the
   * first session; an agent whose apps have none does without.
   *
   * @throws DATABASE_UNREACHABLE
   */
  static async open(database: AccessoryDatabase, options: SessionOptions): Promise<DatabaseSession> {
    const deadline = Date.now() + (options.patienceMs ?? 0);
    for (;;) {
      try {
        return await DatabaseSession.#connect(database, options);
      } catch (error) {
        const isStarting = error instanceof Error && "code" in error && notYet.includes(String(error.code));
        if (!isStarting || Date.now() >= deadline) throw unreachable(database, error);
        await sleep(retryMs, undefined, { signal: options.signal });
      }
    }
  }

  static async #connect(
    database: AccessoryDatabase,
    { applicationName, onNotice }: SessionOptions,
  ): Promise<DatabaseSession> {
    const { Client } = (await import("pg")).default;
    const { address, port, user, password } = database;
    const client = new Client({
      host: address,
      port,
      user,
      password: password ?? "",
      database: database.database,
      application_name: applicationName,
      connectionTimeoutMillis: connectTimeoutMs,
      keepAlive: true,
    });
    // A connection that breaks between two queries must not end the agent; the next query tells it.
    client.on("error", () => undefined);
    client.on("notice", ({ message }) => onNotice?.(message ?? ""));
    const session = new DatabaseSession(client, database);
    try {
      await client.connect();
      session.#pid = Number((await session.rows("SELECT pg_backend_pid() AS pid"))[0]?.["pid"]);
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
    return session;
  }

  /** The rows of one statement. Values go apart from its text. */
  async rows(sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    const { rows } = await this.#client.query<Record<string, unknown>>(sql, [...values]);
    return rows;
  }

  /** Statements without values, as they are. */
  async run(sql: string): Promise<void> {
    await this.#client.query(sql);
  }

  /** All of `work`, or nothing of it. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.run("BEGIN");
    try {
      const result = await work();
      await this.run("COMMIT");
      return result;
    } catch (error) {
      await this.run("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  /** Has the server break off what this session runs, by a connection of its own. */
  async cancelRunning(): Promise<void> {
    await using other = await DatabaseSession.open(this.#database, { applicationName: "ikoma cancel" });
    await other.rows("SELECT pg_cancel_backend($1)", [this.#pid]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }
}

function unreachable(
  { service, address, port, user, database, password }: AccessoryDatabase,
  cause: unknown,
): IkomaError {
  const reason = redactor(password === undefined ? [] : [password])(
    cause instanceof Error ? cause.message : String(cause),
  );
  return new IkomaError(
    "DATABASE_UNREACHABLE",
    `The database ${database} of ${service} cannot be reached at ${address}:${port} as ${user}: ${reason}.`,
    { cause },
  );
}
