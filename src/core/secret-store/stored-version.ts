import * as z from "zod";
import { sameKey } from "../policies/approver-key.ts";
import { isSignedBy } from "../policies/ssh-signature.ts";
import { digestOf, statementText, tampered, type SecretKey, type VersionHead } from "./sealed-version.ts";
import type { StoreSession } from "./store-session.ts";

const bytes = z.custom<Buffer>((value) => Buffer.isBuffer(value)).nullable();
const versionRow = z
  .object({
    environment: z.string(),
    app: z.string(),
    name: z.string(),
    version: z.number(),
    created_at_ms: z.coerce.number(),
    content_digest: z.string().nullable(),
    content: bytes,
    wrapped_key: bytes,
    recipients: z.array(z.string()),
    signer: z.string(),
    signature: z.string(),
  })
  .transform(({ created_at_ms, content_digest, wrapped_key, ...rest }) => ({
    ...rest,
    createdAtMs: created_at_ms,
    contentDigest: content_digest,
    wrappedKey: wrapped_key,
  }));

/** A version as the database has it: nothing of it is true before its signature was checked. */
export type StoredVersion = z.infer<typeof versionRow>;

/** `removed` hides the secret; `purged` has no value any more. */
export type VersionState = "value" | "removed" | "purged";

/** What the columns say. */
export function stateOf({ contentDigest, content, wrappedKey }: StoredVersion): VersionState {
  if (contentDigest === null) return "removed";
  return content === null || wrappedKey === null ? "purged" : "value";
}

/** Versions out of rows of `ikoma_store.secret_version`, each held against its head by who uses it. */
export function versionsOf(rows: readonly Record<string, unknown>[]): StoredVersion[] {
  return rows.map((row) => versionRow.parse(row));
}

/**
 * Versions that are what was asked for. A version of another environment is signed and sealed as well as any: whoever
 * takes from the row which one it is would open it, or sign it, in the place of this one.
 *
 * @throws STORE_TAMPERED where the database answers with another's
 */
export function versionsAsked(
  rows: readonly Record<string, unknown>[],
  asked: Pick<SecretKey, "environment"> & Partial<SecretKey>,
): StoredVersion[] {
  const versions = versionsOf(rows);
  const { environment, app, name } = asked;
  const foreign = versions.find(
    (each) =>
      each.environment !== environment ||
      (app !== undefined && each.app !== app) ||
      (name !== undefined && each.name !== name),
  );
  if (foreign === undefined) return versions;
  const wanted = [environment, app, name].filter((each) => each !== undefined).join("/");
  throw tampered(foreign, `the database gave it as one of ${wanted}`);
}

/** The newest version of each secret of an environment, by app and name. */
export async function newestVersions(
  session: StoreSession,
  environment: string,
  app: string | undefined,
): Promise<StoredVersion[]> {
  const rows = await session.rows(
    `SELECT DISTINCT ON (app, name) * FROM ikoma_store.secret_version
     WHERE environment = $1 AND ($2::text IS NULL OR app = $2) ORDER BY app, name, version DESC`,
    [environment, app],
  );
  return versionsAsked(rows, { environment, ...(app !== undefined && { app }) });
}

/** All versions of one secret, the newest first. */
export async function versionsOfSecret(session: StoreSession, asked: SecretKey): Promise<StoredVersion[]> {
  const { environment, app, name } = asked;
  const rows = await session.rows(
    `SELECT * FROM ikoma_store.secret_version WHERE environment = $1 AND app = $2 AND name = $3 ORDER BY version DESC`,
    [environment, app, name],
  );
  return versionsAsked(rows, asked);
}

/**
 * The writer who signed a version, by name.
 *
 * @param head which version it should be: of what was asked for, which a row is only if somebody has looked
 * @param writers public SSH keys by name, from the settings
 * @throws STORE_TAMPERED where none of them did, or it is another version, or its content is another
 */
export async function signerOf(
  stored: StoredVersion,
  head: VersionHead,
  writers: Readonly<Record<string, string>>,
): Promise<string> {
  const { signer, signature, content, contentDigest } = stored;
  const writer = Object.entries(writers).find(([, key]) => sameKey(key, signer));
  if (writer === undefined) throw tampered(head, "it is signed by nobody of `ikoma:store.writers`");
  const [name, key] = writer;
  if (!(await isSignedBy(key, statementText(head, contentDigest), signature, "ikoma-secret")))
    throw tampered(head, `${name} has not signed this`);
  if (content !== null && digestOf(content) !== contentDigest)
    throw tampered(head, `its content is not what ${name} has signed`);
  return name;
}
