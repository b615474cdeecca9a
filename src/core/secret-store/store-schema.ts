import { IkomaError } from "../errors.ts";
import { auditEntry } from "./audit.ts";
import { requireKnown, schemaVersion, type StoreSession } from "./store-session.ts";

/** Roles of the database that are given rights. */
export interface StoreRoles {
  readonly readers: readonly string[];
  readonly writers: readonly string[];
}

/** Any number, as long as it is always the same. */
const setUpLock = 7_331_052_114;

/**
 * Makes the store's tables where there are none, and gives roles their rights; again changes nothing.
 *
 * @returns whether the store is new
 * @throws STORE_NEWER, STORE_AUTH where the login may not do that, USAGE for a role that is none
 */
export async function setUpStore(session: StoreSession, label: string, roles: StoreRoles): Promise<boolean> {
  return session.transaction(async () => {
    await session.rows("SELECT pg_advisory_xact_lock($1)", [setUpLock]);
    const [found] = await session.rows("SELECT to_regclass('ikoma_store.meta') IS NOT NULL AS is_there");
    const isNew = found?.["is_there"] !== true;
    if (isNew) await session.rows(tables);
    const [meta] = await session.rows("SELECT schema_version FROM ikoma_store.meta");
    requireKnown(Number(meta?.["schema_version"]), label);
    if (roles.readers.length + roles.writers.length > 0) await requireOwner(session, label);
    for (const role of roles.readers) await grant(session, role, readerRights);
    for (const role of roles.writers) await grant(session, role, [...readerRights, ...writerRights]);
    if (isNew) await auditEntry(session, { action: "init" });
    return isNew;
  });
}

/** PostgreSQL only warns somebody else, of whom it takes a GRANT that does nothing. */
async function requireOwner(session: StoreSession, label: string): Promise<void> {
  const [schema] = await session.rows(
    `SELECT pg_get_userbyid(nspowner) AS owner, pg_has_role(nspowner, 'USAGE') AS is_own
     FROM pg_namespace WHERE nspname = 'ikoma_store'`,
  );
  if (schema?.["is_own"] === true) return;
  const owner = String(schema?.["owner"]);
  throw new IkomaError("STORE_AUTH", `The store ${label} is ${owner}'s, who alone can give roles their rights.`, {
    hint: `Run the same command with the login of ${owner} in IKOMA_STORE_URL_FILE. Nothing was changed.`,
  });
}

async function grant(session: StoreSession, role: string, rights: readonly string[]): Promise<void> {
  const [known] = await session.rows("SELECT quote_ident(rolname) AS quoted FROM pg_roles WHERE rolname = $1", [role]);
  const quoted = known?.["quoted"];
  if (typeof quoted !== "string")
    throw new IkomaError("USAGE", `The database has no role "${role}".`, {
      hint: `Make it first: CREATE ROLE "${role}" LOGIN PASSWORD '…'. Nothing was changed.`,
    });
  // Of a store that was made when readers could still write every column.
  await session.rows(`REVOKE INSERT ON ikoma_store.audit FROM ${quoted}`);
  for (const right of rights) await session.rows(`GRANT ${right} TO ${quoted}`);
}

const readerRights = [
  "USAGE ON SCHEMA ikoma_store",
  "SELECT ON ikoma_store.meta, ikoma_store.secret_version, ikoma_store.audit",
  // `get` says who has looked. When, and by which role, is the database's to say.
  "INSERT (who, action, environment, app, name, version, detail) ON ikoma_store.audit",
];

/** What makes a version what it is can be written once. Its value can be taken out (`purge`), the version cannot. */
const writerRights = [
  "INSERT ON ikoma_store.secret_version",
  "UPDATE (content, wrapped_key, recipients, signer, signature) ON ikoma_store.secret_version",
];

const tables = `
CREATE SCHEMA IF NOT EXISTS ikoma_store;

CREATE TABLE ikoma_store.meta (
  is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
  schema_version integer NOT NULL
);
INSERT INTO ikoma_store.meta (schema_version) VALUES (${schemaVersion});

CREATE TABLE ikoma_store.secret_version (
  environment text NOT NULL,
  app text NOT NULL,
  name text NOT NULL,
  version integer NOT NULL CHECK (version > 0),
  created_at_ms bigint NOT NULL,
  content_digest text,
  content bytea,
  wrapped_key bytea,
  recipients text[] NOT NULL,
  signer text NOT NULL,
  signature text NOT NULL,
  PRIMARY KEY (environment, app, name, version)
);
COMMENT ON COLUMN ikoma_store.secret_version.content_digest IS 'null where the version says that the secret is removed';
COMMENT ON COLUMN ikoma_store.secret_version.content IS 'AES-256-GCM: nonce, ciphertext, tag; null once purged';
COMMENT ON COLUMN ikoma_store.secret_version.wrapped_key IS 'the version''s data key, encrypted with age for the recipients';
COMMENT ON COLUMN ikoma_store.secret_version.signer IS 'public SSH key of who has signed';

CREATE TABLE ikoma_store.audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT now(),
  database_role text NOT NULL DEFAULT session_user,
  who text NOT NULL,
  action text NOT NULL,
  environment text,
  app text,
  name text,
  version integer,
  detail text
);

CREATE FUNCTION ikoma_store.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % is not allowed: it is kept', TG_OP, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ikoma_store.audit
  FOR EACH STATEMENT EXECUTE FUNCTION ikoma_store.refuse();
CREATE TRIGGER versions_are_kept BEFORE DELETE OR TRUNCATE ON ikoma_store.secret_version
  FOR EACH STATEMENT EXECUTE FUNCTION ikoma_store.refuse();
`;
