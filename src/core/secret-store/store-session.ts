import type { Client } from "pg";
import { IkomaError } from "../errors.ts";
import { errorCode, errorMessage, rootCause } from "../system-error.ts";
import type { StoreAddress } from "./store-address.ts";

/** What this version writes and reads. */
export const schemaVersion = 1;

const connectTimeoutMs = 10_000;
const queryTimeoutMs = 20_000;
/** PostgreSQL's: no such schema, no such table. */
const missingStates = ["3F000", "42P01"];
const deniedState = "42501";

/** How a session is opened. */
export interface SessionOptions {
  /** Whether it is there to make the schema: then none has to be there. */
  readonly isSetUp?: boolean;
  /** How long the server may take to answer, in ms. @default 10_000 */
  readonly timeoutMs?: number;
}

/** One connection to the store. */
export class StoreSession implements AsyncDisposable {
  readonly #client: Client;
  readonly #address: StoreAddress;

  private constructor(client: Client, address: StoreAddress) {
    this.#client = client;
    this.#address = address;
  }

  /**
   * Connects, and looks whether there is a store that this version understands.
   *
   * @throws STORE_UNREACHABLE, STORE_AUTH, STORE_MISSING, STORE_NEWER
   */
  static async open(address: StoreAddress, options: SessionOptions = {}): Promise<StoreSession> {
    const session = new StoreSession(await connect(address, options), address);
    if (options.isSetUp === true) return session;
    try {
      await session.#requireSchema();
      return session;
    } catch (error) {
      await session[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The rows of one statement. Values go apart from its text. */
  async rows(sql: string, values: readonly unknown[] = []): Promise<Record<string, unknown>[]> {
    try {
      const { rows } = await this.#client.query<Record<string, unknown>>(sql, [...values]);
      return rows;
    } catch (error) {
      throw storeError(this.#address, error);
    }
  }

  /** All of `work`, or nothing of it. */
  async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.rows("BEGIN");
    try {
      const result = await work();
      await this.rows("COMMIT");
      return result;
    } catch (error) {
      await this.rows("ROLLBACK").catch(() => undefined);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.end().catch(() => undefined);
  }

  async #requireSchema(): Promise<void> {
    const [row] = await this.rows("SELECT schema_version FROM ikoma_store.meta");
    requireKnown(Number(row?.["schema_version"]), this.#address.label);
  }
}

/** @throws STORE_NEWER */
export function requireKnown(found: number, label: string): void {
  if (found <= schemaVersion) return;
  throw new IkomaError(
    "STORE_NEWER",
    `The store ${label} has schema ${found}; this version of ikoma knows ${schemaVersion}.`,
  );
}

async function connect(address: StoreAddress, { timeoutMs = connectTimeoutMs }: SessionOptions): Promise<Client> {
  const { host, port, user, database, password, tls } = address;
  const { Client } = (await import("pg")).default;
  const client = new Client({
    host,
    port,
    user,
    database,
    // A function, or the library would take PGPASSWORD and send it to wherever the settings say.
    password: () => password ?? "",
    // Said, or NODE_TLS_REJECT_UNAUTHORIZED=0 of the environment would switch the check off.
    ssl: tls && { ...tls, rejectUnauthorized: true },
    application_name: "ikoma secrets",
    connectionTimeoutMillis: timeoutMs,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
  });
  // A connection that breaks between two queries must not end the process; the next query tells it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    throw storeError(address, error);
  }
}

/** What PostgreSQL or the way to it said, in our words; a broken constraint is for the caller. */
function storeError({ label, password }: StoreAddress, cause: unknown): unknown {
  // Of a name with several addresses each has failed, and only the errors of each say why.
  const root = rootCause(cause);
  const state = errorCode(root) ?? "";
  if (/^23\d{3}$/.test(state)) return cause;
  const said = password === undefined ? errorMessage(root) : errorMessage(root).replaceAll(password, "[secret]");
  if (missingStates.includes(state)) return new IkomaError("STORE_MISSING", `There is no secret store in ${label}.`);
  if (state === deniedState)
    return new IkomaError("STORE_AUTH", `The store ${label} does not allow this: ${said}.`, {
      hint: "The rights of the database's roles: `ikoma secrets init --reader ROLE --writer ROLE`, by the owner of the store.",
    });
  if (password === undefined && /client password must be/.test(said))
    return new IkomaError("STORE_AUTH", `The store ${label} asks for a password, and none was given.`, {
      hint: "Put the whole address, with user and password, into a file that IKOMA_STORE_URL_FILE names.",
    });
  if (state.startsWith("28")) return new IkomaError("STORE_AUTH", `The store ${label} refuses the login: ${said}.`);
  // An SQLSTATE is what the server itself says; names of system errors begin with E.
  const what = /^(?!E)[0-9A-Z]{5}$/.test(state) ? "does not do what it should" : "cannot be reached";
  // Without the cause: its message is shown too, and nothing is masked there.
  return new IkomaError("STORE_UNREACHABLE", `The secret store ${label} ${what}: ${said}.`);
}
