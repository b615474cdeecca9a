/** Address of a PostgreSQL database, taken apart. */
export interface PostgresUrl {
  /** Name, address, or the folder of a unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string;
  readonly parameters: URLSearchParams;
  /** What is behind a `#`. */
  readonly fragment: string;
}

/** Why a text is no such address: what a caller says of it has nothing of the text, which may have a password anywhere. */
export type PostgresUrlFlaw = "unreadable" | "scheme" | "encoding" | "incomplete";

/**
 * Takes `postgres://user:password@host:port/database` apart. A socket's folder is a host with its slashes encoded
 * (`%2Fvar%2Frun%2Fpostgresql`), as for psql.
 */
export function parsePostgresUrl(text: string): PostgresUrl | PostgresUrlFlaw {
  const url = URL.parse(text);
  if (url === null) return "unreadable";
  if (!/^postgres(ql)?:$/.test(url.protocol)) return "scheme";
  const parts = decoded([url.hostname, url.username, url.password, url.pathname.slice(1)]);
  if (parts === undefined) return "encoding";
  const [host = "", user = "", password = "", database = ""] = parts;
  if (host === "" || database === "" || database.includes("/")) return "incomplete";
  return {
    host: host.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 5432 : Number(url.port),
    user: user === "" ? undefined : user,
    password: password === "" ? undefined : password,
    database,
    parameters: url.searchParams,
    fragment: url.hash,
  };
}

function decoded(texts: readonly string[]): string[] | undefined {
  try {
    return texts.map(decodeURIComponent);
  } catch {
    return undefined;
  }
}
