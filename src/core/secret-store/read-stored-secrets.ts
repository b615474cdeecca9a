import { IkomaError } from "../errors.ts";
import { readIdentities } from "./identity.ts";
import { openValue, versionLabel, type SecretKey } from "./sealed-version.ts";
import { mapSomeAtOnce } from "./some-at-once.ts";
import { storeAddress } from "./store-address.ts";
import type { StoreConfig } from "./store-config.ts";
import { StoreSession, type SessionOptions } from "./store-session.ts";
import { signerOf, stateOf, versionsOf, type StoredVersion } from "./stored-version.ts";

/** The part of a store that belongs to one environment. */
export interface EnvironmentStore {
  readonly config: StoreConfig;
  readonly environment: string;
}

/** A variable of an app whose value is in the store. */
export interface WantedSecret {
  readonly app: string;
  readonly variable: string;
  /** Its name in the store. */
  readonly name: string;
  /** Undefined for the newest. */
  readonly version: number | undefined;
}

/** Values by app, then variable. */
export type StoredValues = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * The values of all secrets that a run takes from the store, with one connection and one query.
 *
 * @throws STORE_… where the store, or what is in it, is not as it has to be; SECRET_NOT_FOUND naming the setting
 */
export async function readStoredSecrets(
  { config, environment }: EnvironmentStore,
  wanted: readonly WantedSecret[],
  env: NodeJS.ProcessEnv = process.env,
  options: SessionOptions = {},
): Promise<StoredValues> {
  const address = await storeAddress(config, env);
  const identities = await readIdentities(env);
  const found = await fetchOnce(await StoreSession.open(address, options), environment, wanted);
  const opened = await mapSomeAtOnce(wanted, (each, index) =>
    inSetting(each, () => openWanted(found[index], { ...each, environment }, config, identities)),
  );
  const values: Record<string, Record<string, string>> = {};
  wanted.forEach(({ app, variable }, index) => ((values[app] ??= {})[variable] = opened[index] ?? ""));
  return values;
}

async function fetchOnce(session: StoreSession, environment: string, wanted: readonly WantedSecret[]) {
  await using open = session;
  return await fetchVersions(open, environment, wanted);
}

/** The versions that are wanted, in that order; undefined for what is not there. */
export async function fetchVersions(
  session: StoreSession,
  environment: string,
  wanted: readonly Omit<WantedSecret, "variable">[],
): Promise<(StoredVersion | undefined)[]> {
  const rows = await session.rows(
    `SELECT wanted.position::integer, found.*
     FROM unnest($2::text[], $3::text[], $4::integer[]) WITH ORDINALITY AS wanted (app, name, version, position)
     CROSS JOIN LATERAL (
       SELECT * FROM ikoma_store.secret_version AS each
       WHERE each.environment = $1 AND each.app = wanted.app AND each.name = wanted.name
         AND (wanted.version IS NULL OR each.version = wanted.version)
       ORDER BY each.version DESC LIMIT 1
     ) AS found`,
    [environment, wanted.map(({ app }) => app), wanted.map(({ name }) => name), wanted.map(({ version }) => version)],
  );
  return wanted.map((_, index) => versionsOf(rows.filter(({ position }) => position === index + 1))[0]);
}

/**
 * The value of what was fetched. What a row says of itself is not asked: it has to be signed and sealed as the secret
 * that is wanted.
 *
 * @throws SECRET_NOT_FOUND, STORE_TAMPERED, STORE_IDENTITY
 */
export async function openWanted(
  stored: StoredVersion | undefined,
  { environment, app, name, version }: Omit<WantedSecret, "variable"> & SecretKey,
  { writers }: StoreConfig,
  identities: readonly string[],
): Promise<string> {
  if (stored === undefined) throw notFound({ environment, app, name }, version);
  const head = { environment, app, name, version: version ?? stored.version, createdAtMs: stored.createdAtMs };
  const signer = await signerOf(stored, head, writers);
  const { content, wrappedKey } = stored;
  if (content !== null && wrappedKey !== null) return openValue(head, { content, wrappedKey }, identities);
  const what = stateOf(stored) === "removed" ? `removed by ${signer}` : "purged";
  throw new IkomaError("SECRET_NOT_FOUND", `${versionLabel(head)} was ${what}.`);
}

/** @param version undefined for the newest */
export function notFound({ environment, app, name }: SecretKey, version: number | undefined): IkomaError {
  const which = version === undefined ? "" : ` version ${version}`;
  return new IkomaError("SECRET_NOT_FOUND", `The store has no ${environment}/${app}/${name}${which}.`, {
    ...(version === undefined && {
      hint: `Set it with \`ikoma secrets set ${app} ${name}\`, or see \`ikoma secrets list\`.`,
    }),
  });
}

async function inSetting({ app, variable }: WantedSecret, open: () => Promise<string>): Promise<string> {
  try {
    return await open();
  } catch (error) {
    if (!(error instanceof IkomaError)) throw error;
    const { code, message, hint, details } = error;
    const named = `ikoma:secrets.${app}.${variable}: ${message}`;
    throw new IkomaError(code, named, { hint, details, cause: error });
  }
}
