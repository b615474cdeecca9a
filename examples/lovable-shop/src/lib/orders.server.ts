import pg from "pg";

// Two releases may start at the same moment on an empty database: without the
// lock, CREATE TABLE IF NOT EXISTS can fail in one of them.
const CREATE_TABLE = `
  BEGIN;
  SELECT pg_advisory_xact_lock(hashtext('shop.orders'));
  CREATE TABLE IF NOT EXISTS orders (
    id text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    placed_by text
  );
  COMMIT`;

let ready: Promise<pg.Pool> | undefined;

/** The pool, once the table exists; a failed attempt is tried again by the next caller. */
function database(): Promise<pg.Pool> {
  ready ??= open().catch((error: unknown) => {
    ready = undefined;
    throw error;
  });
  return ready;
}

async function open() {
  if (!process.env.DATABASE_URL) throw new Error("DATABASE_URL is not set");
  const pool = new pg.Pool({
    connectionString: process.env.DATABASE_URL,
    max: 10,
    connectionTimeoutMillis: 3_000,
    // Else idle connections keep a stopped server alive for ten more seconds.
    allowExitOnIdle: true,
  });
  // An idle connection that the server ends (a restart) is not a reason to crash.
  pool.on("error", (error) => console.error("database connection lost:", error.message));
  try {
    await pool.query(CREATE_TABLE);
  } catch (error) {
    await pool.end();
    throw error;
  }
  return pool;
}

/** True if the order is new, false if it was there already. Committed when it returns. */
export async function addOrder(id: string) {
  const pool = await database();
  const result = await pool.query(
    "INSERT INTO orders (id, placed_by) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING",
    [id, process.env.APP_VERSION || "dev"],
  );
  return result.rowCount === 1;
}

export async function countOrders() {
  const pool = await database();
  const result = await pool.query<{ count: number }>("SELECT count(*)::int AS count FROM orders");
  return result.rows[0]?.count ?? 0;
}

export async function latestOrders(limit: number) {
  const pool = await database();
  const result = await pool.query<{ id: string }>(
    "SELECT id FROM orders ORDER BY created_at DESC LIMIT $1",
    [limit],
  );
  return result.rows.map((row) => row.id);
}

/** Throws if the database does not answer. */
export async function pingDatabase() {
  const pool = await database();
  await pool.query("SELECT 1");
}
