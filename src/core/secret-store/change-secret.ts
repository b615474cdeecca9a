import { IkomaError } from "../errors.ts";
import type { KeyHolder } from "../policies/approver-key.ts";
import { errorCode } from "../system-error.ts";
import { auditEntry } from "./audit.ts";
import { isRecipient } from "./identity.ts";
import { notFound } from "./read-stored-secrets.ts";
import { sealValue, statementText, versionLabel, type SecretKey, type VersionHead } from "./sealed-version.ts";
import type { StoreConfig } from "./store-config.ts";
import type { StoreSession } from "./store-session.ts";
import { stateOf, versionsOfSecret } from "./stored-version.ts";

const uniqueViolation = "23505";

/** A version to write. */
export interface NewVersion {
  readonly key: SecretKey;
  /** Undefined says that the secret is removed. */
  readonly value: string | undefined;
  /** The newest version that the caller has seen; 0 for none. Where there is another now, nothing is written. */
  readonly seen: number;
}

/**
 * Writes the next version of a secret, sealed for the recipients of the settings and signed.
 *
 * @returns what was written
 * @throws SECRET_CHANGED where somebody else has written it meanwhile, CONFIG_MISSING where nobody could read it
 */
export async function writeVersion(
  session: StoreSession,
  { recipients }: Pick<StoreConfig, "recipients">,
  { key, value, seen }: NewVersion,
  signer: KeyHolder,
): Promise<VersionHead> {
  const head = { ...key, version: seen + 1, createdAtMs: Date.now() };
  const keys = value === undefined ? [] : await requireRecipients(recipients);
  const sealed = value === undefined ? undefined : await sealValue(head, value, keys);
  const signature = await signer.sign(statementText(head, sealed?.contentDigest ?? null));
  const { environment, app, name, version, createdAtMs } = head;
  const columns = [environment, app, name, version, createdAtMs, sealed?.contentDigest, sealed?.content];
  const rest = [sealed?.wrappedKey, keys, signer.publicKey, signature];
  await session.transaction(async () => {
    const newest = await newestVersionOf(session, key);
    if (newest !== seen) throw changed(head, newest);
    await session
      .rows(
        `INSERT INTO ikoma_store.secret_version (environment, app, name, version, created_at_ms, content_digest, content,
           wrapped_key, recipients, signer, signature) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
        [...columns, ...rest],
      )
      .catch((error: unknown) => {
        throw errorCode(error) === uniqueViolation ? changed(head, version) : error;
      });
    await auditEntry(session, { action: value === undefined ? "rm" : "set", ...key, version });
  });
  return head;
}

/**
 * Takes the values of versions out of the store for good: the given one, which must not be the newest, or, of a secret
 * that was removed, all. What they were and who wrote them stays.
 *
 * @returns the versions that had one
 * @throws USAGE where the secret is not removed, or the version is the newest
 */
export async function purgeVersions(
  session: StoreSession,
  key: SecretKey,
  version: number | undefined,
): Promise<number[]> {
  return session.transaction(async () => {
    const versions = await versionsOfSecret(session, key);
    const [newest] = versions;
    const chosen = versions.filter((each) => version === undefined || each.version === version);
    if (newest === undefined || chosen.length === 0) throw notFound(key, version);
    if (version === newest.version || (version === undefined && stateOf(newest) !== "removed"))
      throw new IkomaError("USAGE", `${versionLabel(newest)} is what is used now.`, {
        hint: `Remove the secret first (\`ikoma secrets rm ${key.app} ${key.name}\`), or name an older version: --at N.`,
      });
    const purged = chosen.filter((each) => stateOf(each) === "value").map((each) => each.version);
    await session.rows(
      `UPDATE ikoma_store.secret_version SET content = NULL, wrapped_key = NULL
       WHERE environment = $1 AND app = $2 AND name = $3 AND version = ANY ($4)`,
      [key.environment, key.app, key.name, purged],
    );
    for (const each of purged) await auditEntry(session, { action: "purge", ...key, version: each });
    return purged;
  });
}

/** The number of a secret's newest version, a removal too; 0 where it has none. */
export async function newestVersionOf(session: StoreSession, key: SecretKey): Promise<number> {
  const [row] = await session.rows(
    "SELECT max(version) AS newest FROM ikoma_store.secret_version WHERE environment = $1 AND app = $2 AND name = $3",
    [key.environment, key.app, key.name],
  );
  return Number(row?.["newest"] ?? 0);
}

/**
 * The public keys to seal for.
 *
 * @throws CONFIG_MISSING where the settings name nobody who could read, CONFIG_INVALID naming whose key is mistyped
 */
export async function requireRecipients(recipients: StoreConfig["recipients"]): Promise<string[]> {
  for (const [name, key] of Object.entries(recipients)) {
    if (await isRecipient(key)) continue;
    throw new IkomaError(
      "CONFIG_INVALID",
      `ikoma:store.recipients.${name}: ${key} is no recipient of age: it has a typing error.`,
    );
  }
  const keys = Object.values(recipients);
  if (keys.length > 0) return keys;
  throw new IkomaError("CONFIG_MISSING", "Nobody could read it: `ikoma:store.recipients` is empty.", {
    hint: "Add one with `ikoma secrets recipients add NAME age1…`; `ikoma secrets keygen FILE` makes an identity.",
  });
}

function changed({ environment, app, name }: VersionHead, version: number): IkomaError {
  return new IkomaError(
    "SECRET_CHANGED",
    `${environment}/${app}/${name} is at version ${version}, which is not what was looked at; nothing was written.`,
    { hint: `See \`ikoma secrets history ${app} ${name}\`, then run the same command again if it is still right.` },
  );
}
