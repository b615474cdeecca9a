/** A store's address, taken apart. */
export interface StoreUrl {
  /** Name, address, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string;
}

const shape = "an address like postgres://user@host/database";

/**
 * Takes `postgres://user:password@host:port/database` apart. A socket's folder is a host with its slashes encoded
 * (`%2Fvar%2Frun%2Fpostgresql`), as for psql. Parameters are refused: each that weakens TLS would be obeyed elsewhere.
 *
 * @returns for what is no such address the reason, in which nothing of the text is told
 */
export function parseStoreUrl(text: string): StoreUrl | string {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) return shape;
  if (url.search !== "" || url.hash !== "") return "an address without parameters; TLS is always checked";
  const [host, user, password, database] = decoded([url.hostname, url.username, url.password, url.pathname.slice(1)]);
  if (host === undefined || host === "" || database === undefined || database === "" || database.includes("/"))
    return shape;
  return {
    host: host.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 5432 : Number(url.port),
    user: user === "" ? undefined : user,
    password: password === "" ? undefined : password,
    database,
  };
}

function decoded(texts: readonly string[]): string[] {
  try {
    return texts.map(decodeURIComponent);
  } catch {
    return [];
  }
}
