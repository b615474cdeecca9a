import { IkomaError } from "../errors.ts";
import { isLoopback } from "../link/loopback.ts";
import { readPrivateFile } from "../private-file.ts";
import { userName } from "../user-name.ts";
import type { StoreConfig } from "./store-config.ts";
import { parseStoreUrl, type StoreUrl } from "./store-url.ts";

/** Variables of the environment that say where the store is, with its login. */
export const storeVariables = { url: "IKOMA_STORE_URL", file: "IKOMA_STORE_URL_FILE" } as const;

/** How the store's database is reached, login included. */
export interface StoreAddress extends StoreUrl {
  readonly user: string;
  /** False on this very machine, unless an authority is named; else the server has to prove who it is. */
  readonly tls: false | { readonly ca?: string };
  /** For people; without password. */
  readonly label: string;
}

/**
 * Where the store is. A password is only ever sent to the address that was given with it: the one in the environment
 * is whole, and one in the settings, which a pull request can change, has none.
 *
 * @throws CONFIG_MISSING where nothing names a store, CONFIG_INVALID where both do and differ, or one cannot be read
 */
export async function storeAddress(
  { url: configured, caCert }: StoreConfig,
  env: NodeJS.ProcessEnv = process.env,
): Promise<StoreAddress> {
  const fromEnvironment = await urlOfEnvironment(env);
  const inSettings = configured === undefined ? undefined : parsed(configured, "ikoma:store.url");
  const url = fromEnvironment ?? inSettings;
  if (url === undefined)
    throw new IkomaError("CONFIG_MISSING", "Nothing says where the secret store is.", {
      hint: `Set ${storeVariables.file} to a file that only you can read, with postgres://user:password@host/database in it; or \`ikoma:store.url\`.`,
    });
  if (inSettings !== undefined) requireSamePlace(url, inSettings);
  const user = url.user ?? userName();
  const label = `${user}@${url.host}:${url.port}/${url.database}`;
  return { ...url, user, tls: tlsTo(url, caCert), label };
}

async function urlOfEnvironment(env: NodeJS.ProcessEnv): Promise<StoreUrl | undefined> {
  const { [storeVariables.url]: given = "", [storeVariables.file]: file = "" } = env;
  if (given !== "") return parsed(given, storeVariables.url);
  if (file === "") return undefined;
  return parsed((await readPrivateFile(file, "the store's login", "CONFIG_MISSING")).trim(), file);
}

/** Of the text nothing is told: it has the password. */
function parsed(text: string, from: string): StoreUrl {
  const read = parseStoreUrl(text);
  if (typeof read !== "string") return read;
  throw new IkomaError("CONFIG_INVALID", `${from} should have ${read}.`, {
    hint: "Such as postgres://user:password@db.example:5432/secrets; special characters of the password percent-encoded.",
  });
}

/** The login of another project's store, still set from yesterday. */
function requireSamePlace(given: StoreUrl, configured: StoreUrl): void {
  const place = ({ host, port, database }: StoreUrl): string => `${host}:${port}/${database}`;
  if (place(given) === place(configured)) return;
  throw new IkomaError(
    "CONFIG_INVALID",
    `The environment names the store ${place(given)}, and ikoma:store.url ${place(configured)}.`,
    { hint: `Correct ${storeVariables.url} or ${storeVariables.file}, or take \`url\` out of the settings.` },
  );
}

function tlsTo({ host }: StoreUrl, caCert: string | undefined): StoreAddress["tls"] {
  // PostgreSQL does not encrypt on a socket.
  if (host.startsWith("/")) return false;
  if (caCert !== undefined) return { ca: caCert };
  return isLoopback(host) ? false : {};
}
