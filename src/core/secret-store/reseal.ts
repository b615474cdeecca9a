import { IkomaError } from "../errors.ts";
import { sameKey, type KeyHolder } from "../policies/approver-key.ts";
import { auditEntry } from "./audit.ts";
import { rewrapKey, statementText, type SecretKey } from "./sealed-version.ts";
import type { StoreSession } from "./store-session.ts";
import { signerOf, versionsOf, type StoredVersion } from "./stored-version.ts";

/** What a change of recipients did. */
export interface Rewrapped {
  /** Versions whose data key was wrapped anew. */
  readonly versions: number;
  /** Older versions that stay as they are, because none of the identities opens them. */
  readonly unreadable: number;
  /** Secrets with a version that somebody could read who cannot now: they may know it. */
  readonly exposed: readonly Pick<SecretKey, "app" | "name">[];
}

/**
 * Wraps the data keys of all versions of an environment for these recipients, all or none. Values stay as they are.
 * An older version that cannot be read, as where an identity was lost, is left alone.
 *
 * @param identities of age that can read them; only asked for where something is to be done
 * @throws STORE_IDENTITY naming the newest version that does not open, STORE_TAMPERED naming any that is altered
 */
export async function rewrapAll(
  session: StoreSession,
  environment: string,
  recipients: readonly string[],
  identities: () => Promise<readonly string[]>,
): Promise<Rewrapped> {
  return session.transaction(async () => {
    const versions = await lockedVersions(session, environment);
    const newest = new Map(versions.map((each) => [`${each.app}/${each.name}`, each]));
    const stale = versions.filter((each) => !isFor(each, recipients));
    let unreadable = 0;
    for (const each of stale) {
      const canStay = newest.get(`${each.app}/${each.name}`) !== each;
      if (!(await rewrapOne(session, each, recipients, await identities(), canStay))) unreadable += 1;
    }
    const done = stale.length - unreadable;
    if (done > 0)
      await auditEntry(session, { action: "rewrap", environment, detail: `${done} for ${recipients.join(" ")}` });
    const left = stale.filter((each) => each.recipients.some((key) => !recipients.includes(key)));
    const exposed = new Map(left.map(({ app, name }) => [`${app}/${name}`, { app, name }]));
    return { versions: done, unreadable, exposed: [...exposed.values()] };
  });
}

/**
 * Has somebody else vouch for all versions that a writer has signed, so that the writer can be taken out of the
 * settings. Each is checked before.
 *
 * @returns how many
 * @throws STORE_TAMPERED naming the version that is not what the writer has signed
 */
export async function resignAll(
  session: StoreSession,
  environment: string,
  writers: Readonly<Record<string, string>>,
  leaving: string,
  signer: KeyHolder,
): Promise<number> {
  return session.transaction(async () => {
    const theirs = (await lockedVersions(session, environment)).filter((each) =>
      sameKey(each.signer, writers[leaving] ?? ""),
    );
    for (const each of theirs) {
      await signerOf(each, writers);
      const signature = await signer.sign(statementText(each, each.contentDigest));
      await update(session, each, "signer = $5, signature = $6", [signer.publicKey, signature]);
    }
    if (theirs.length > 0)
      await auditEntry(session, { action: "sign", environment, detail: `${theirs.length} of ${leaving}` });
    return theirs.length;
  });
}

async function lockedVersions(session: StoreSession, environment: string): Promise<StoredVersion[]> {
  const rows = await session.rows(
    `SELECT * FROM ikoma_store.secret_version WHERE environment = $1 ORDER BY app, name, version FOR UPDATE`,
    [environment],
  );
  return versionsOf(rows);
}

/** Answers whether the version could be read; one that must be readable and is not is an error. */
async function rewrapOne(
  session: StoreSession,
  stored: StoredVersion,
  recipients: readonly string[],
  identities: readonly string[],
  canStay: boolean,
): Promise<boolean> {
  const { content, wrappedKey } = stored;
  if (content === null || wrappedKey === null) return true;
  try {
    const wrapped = await rewrapKey(stored, { content, wrappedKey }, identities, recipients);
    await update(session, stored, "wrapped_key = $5, recipients = $6", [wrapped, recipients]);
    return true;
  } catch (error) {
    if (canStay && error instanceof IkomaError && error.code === "STORE_IDENTITY") return false;
    throw error;
  }
}

function isFor({ recipients, content }: StoredVersion, wanted: readonly string[]): boolean {
  return content === null || [...recipients].sort().join() === [...wanted].sort().join();
}

async function update(
  session: StoreSession,
  { environment, app, name, version }: StoredVersion,
  assignment: string,
  values: readonly unknown[],
): Promise<void> {
  await session.rows(
    `UPDATE ikoma_store.secret_version SET ${assignment}
     WHERE environment = $1 AND app = $2 AND name = $3 AND version = $4`,
    [environment, app, name, version, ...values],
  );
}
