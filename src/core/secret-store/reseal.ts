import { IkomaError } from "../errors.ts";
import { sameKey, type KeyHolder } from "../policies/approver-key.ts";
import { auditEntry } from "./audit.ts";
import { rewrapKey, statementText, versionLabel, type SealedValue, type SecretKey } from "./sealed-version.ts";
import { mapSomeAtOnce } from "./some-at-once.ts";
import type { StoreSession } from "./store-session.ts";
import { signerOf, versionsAsked, type StoredVersion } from "./stored-version.ts";

/** What a change of recipients did. */
export interface Rewrapped {
  /** Versions whose data key was wrapped anew. */
  readonly versions: number;
  /** Older versions that stay as they are, because none of the identities opens them. */
  readonly unreadable: number;
  /** Secrets with a value, older ones too: whoever was a recipient may know them. */
  readonly secrets: readonly Pick<SecretKey, "app" | "name">[];
}

/**
 * Wraps the data keys of all versions of an environment for these recipients, all or none. Values stay as they are.
 * An older version that cannot be read, as where an identity was lost, is left alone. For whom a row says that it is
 * wrapped is not asked: nobody has signed that, and each writer's role can change it.
 *
 * @param identities of age that can read them; only asked for where there is a value
 * @throws STORE_IDENTITY naming the newest version that does not open, STORE_TAMPERED naming any that is altered
 */
export async function rewrapAll(
  session: StoreSession,
  environment: string,
  recipients: readonly string[],
  identities: () => Promise<readonly string[]>,
): Promise<Rewrapped> {
  return session.transaction(async () => {
    const versions = await versionsOfEnvironment(session, environment, "FOR UPDATE");
    const newest = new Map(versions.map((each) => [`${each.app}/${each.name}`, each]));
    const sealed = versions.filter(hasValue);
    const keys = sealed.length === 0 ? [] : await identities();
    let unreadable = 0;
    for (const each of sealed) {
      const canStay = newest.get(`${each.app}/${each.name}`) !== each;
      const wrappedKey = await rewrapOne(each, recipients, keys, canStay);
      if (wrappedKey === undefined) unreadable += 1;
      else await update(session, each, "wrapped_key = $5, recipients = $6", [wrappedKey, recipients]);
    }
    const done = sealed.length - unreadable;
    if (done > 0)
      await auditEntry(session, { action: "rewrap", environment, detail: `${done} for ${recipients.join(" ")}` });
    const secrets = new Map(sealed.map(({ app, name }) => [`${app}/${name}`, { app, name }]));
    return { versions: done, unreadable, secrets: [...secrets.values()] };
  });
}

/**
 * Has somebody else vouch for all versions that a writer has signed, so that the writer can be taken out of the
 * settings. Each is checked before the first is signed. No row is locked meanwhile: a key may ask for a passphrase.
 *
 * @returns how many
 * @throws STORE_TAMPERED naming the version that is not what the writer has signed, SECRET_CHANGED where somebody else
 *   signed one meanwhile
 */
export async function resignAll(
  session: StoreSession,
  environment: string,
  writers: Readonly<Record<string, string>>,
  leaving: string,
  signer: KeyHolder,
): Promise<number> {
  const versions = await versionsOfEnvironment(session, environment);
  const theirs = versions.filter((each) => sameKey(each.signer, writers[leaving] ?? ""));
  await mapSomeAtOnce(theirs, (each) => signerOf(each, each, writers));
  const signed: { readonly stored: StoredVersion; readonly signature: string }[] = [];
  for (const stored of theirs)
    signed.push({ stored, signature: await signer.sign(statementText(stored, stored.contentDigest)) });
  await session.transaction(async () => {
    for (const { stored, signature } of signed) await replaceSignature(session, stored, signer.publicKey, signature);
    if (signed.length > 0)
      await auditEntry(session, { action: "sign", environment, detail: `${signed.length} of ${leaving}` });
  });
  return signed.length;
}

async function versionsOfEnvironment(
  session: StoreSession,
  environment: string,
  lock: "FOR UPDATE" | "" = "",
): Promise<StoredVersion[]> {
  const rows = await session.rows(
    `SELECT * FROM ikoma_store.secret_version WHERE environment = $1 ORDER BY app, name, version ${lock}`,
    [environment],
  );
  return versionsAsked(rows, { environment });
}

type Sealed = StoredVersion & Pick<SealedValue, "content" | "wrappedKey">;

function hasValue(stored: StoredVersion): stored is Sealed {
  return stored.content !== null && stored.wrappedKey !== null;
}

/** Undefined for a version that cannot be read; one that must be readable and is not is an error. */
async function rewrapOne(
  sealed: Sealed,
  recipients: readonly string[],
  identities: readonly string[],
  canStay: boolean,
): Promise<Buffer | undefined> {
  try {
    return await rewrapKey(sealed, sealed, identities, recipients);
  } catch (error) {
    if (canStay && error instanceof IkomaError && error.code === "STORE_IDENTITY") return undefined;
    throw error;
  }
}

/** What was checked is what is signed: a row with another signature by now is left alone. */
async function replaceSignature(
  session: StoreSession,
  stored: StoredVersion,
  publicKey: string,
  signature: string,
): Promise<void> {
  const values = [publicKey, signature, stored.signature];
  const changed = await update(session, stored, "signer = $5, signature = $6", values, "AND signature = $7");
  if (changed === 1) return;
  throw new IkomaError(
    "SECRET_CHANGED",
    `${versionLabel(stored)} was signed by somebody else meanwhile; nothing was written.`,
    { hint: "Run the same command again." },
  );
}

/** Answers how many rows there were. */
async function update(
  session: StoreSession,
  { environment, app, name, version }: StoredVersion,
  assignment: string,
  values: readonly unknown[],
  condition = "",
): Promise<number> {
  const rows = await session.rows(
    `UPDATE ikoma_store.secret_version SET ${assignment}
     WHERE environment = $1 AND app = $2 AND name = $3 AND version = $4 ${condition} RETURNING version`,
    [environment, app, name, version, ...values],
  );
  return rows.length;
}
