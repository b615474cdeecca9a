import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "pg";
import { IkomaError } from "../../core/errors.ts";
import { describeTarget } from "../../core/database/database-url.ts";
import { redactor } from "../../core/redaction.ts";
import type { AccessoryDatabase } from "./accessory-database.ts";
import { connectFailure } from "./connect-failure.ts";
import type { RemoteServer } from "./remote-server.ts";

const connectTimeoutMs = 10_000;
const retryMs = 100;
/** A server may work on a statement for hours. Without probes a way that is lost silently is waited for just as long. */
const keepAliveMs = 30_000;
/** The server is not there yet: nobody listens, or it says that it is starting up (SQLSTATE 57P03). */
const notYet = ["ECONNREFUSED", "ECONNRESET", "57P03"];

/** A server among an app's accessories, or one somewhere else. */
export type DatabaseServer = AccessoryDatabase | RemoteServer;

/** How a session shows itself to whoever looks at the server, and who is told what the server remarks. */
export interface SessionOptions {
  readonly applicationName: string;
  readonly onNotice?: (message: string) => void;
  /**
   * How long to wait for a server that is just starting, in ms: the official image sets a new database up with one that
   * listens on no address, though health checks of many find it well. Without it none is waited for.
   */
  readonly patienceMs?: number;
  /** Ends the waiting, and later what the session runs. */
  readonly signal?: AbortSignal;
}

/** One connection to an app's database. */
export class DatabaseSession implements AsyncDisposable {
  readonly #client: Client;
  readonly #database: DatabaseServer;
  #pid = 0;
  #isDirect = false;
  /** Aborted with the session. */
  readonly #closed = new AbortController();

  private constructor(client: Client, database: DatabaseServer) {
    this.#client = client;
    this.#database = database;
  }

  /** Of the server's process that answered first. */
  get pid(): number {
    return this.#pid;
  }

  /** The process that the connection was announced with is the one that answers: nothing in between deals out sessions. */
  get isDirect(): boolean {
    return this.#isDirect;
  }

  /** Where it leads to, in words. */
  get where(): string {
    return describeTarget({ ...this.#database, host: this.#database.address });
  }

  /**
   * Connects to an accessory directly, to a server elsewhere by whatever its URL names. The library is loaded with the
   * first session; an agent whose apps have none does without.
   *
   * @throws DATABASE_UNREACHABLE; of a server elsewhere also DATABASE_TLS, DATABASE_AUTH
   */
  static async open(database: DatabaseServer, options: SessionOptions): Promise<DatabaseSession> {
    const deadline = performance.now() + (options.patienceMs ?? 0);
    for (;;) {
      try {
        const session = await DatabaseSession.#connect(database, options);
        session.#breakOffOn(options.signal);
        return session;
      } catch (error) {
        const isStarting = error instanceof Error && "code" in error && notYet.includes(String(error.code));
        if (!isStarting || performance.now() >= deadline) throw failure(database, error);
        await sleep(retryMs, undefined, { signal: options.signal });
      }
    }
  }

  static async #connect(
    database: DatabaseServer,
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
      keepAliveInitialDelayMillis: keepAliveMs,
      // Accessories are on the host's own network.
      ssl: "tls" in database && database.tls !== undefined && { ...database.tls, rejectUnauthorized: true },
    });
    // A connection that breaks between two queries must not end the agent; the next query tells it.
    client.on("error", () => undefined);
    client.on("notice", ({ message }) => onNotice?.(message ?? ""));
    const session = new DatabaseSession(client, database);
    try {
      await client.connect();
      session.#pid = Number((await session.rows("SELECT pg_backend_pid() AS pid"))[0]?.["pid"]);
      session.#isDirect = "processID" in client && client.processID === session.#pid;
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

  /** A second connection to the same server. */
  another(applicationName: string): Promise<DatabaseSession> {
    return DatabaseSession.open(this.#database, { applicationName });
  }

  /**
   * Has the server break off what this session runs, by a connection of its own. Where the server cannot be asked, what
   * runs here ends all the same, with the session: its answer would never come.
   */
  async #breakOff(): Promise<void> {
    try {
      await using other = await this.another("ikoma cancel");
      await other.rows("SELECT pg_cancel_backend($1)", [this.#pid]);
    } catch {
      this.#client.connection.stream.destroy();
    }
  }

  #breakOffOn(signal: AbortSignal | undefined): void {
    signal?.addEventListener("abort", () => void this.#breakOff(), { once: true, signal: this.#closed.signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#client.end().catch(() => undefined);
  }
}

function failure(database: DatabaseServer, cause: unknown): IkomaError {
  return "service" in database ? unreachable(database, cause) : connectFailure(database, cause);
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
