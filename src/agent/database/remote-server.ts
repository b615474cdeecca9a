import { readDatabaseUrl } from "../../core/database/database-url.ts";
import type { RemoteDatabase } from "../../core/database/remote-database.ts";

/** A PostgreSQL server somewhere else, and how to log in to it. */
export interface RemoteServer {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: string | undefined;
  /**
   * The connection is encrypted, and the server has to prove by its certificate that it is `address`. `ca`: the only
   * authority that this may be from (PEM), in place of the usual ones.
   */
  readonly tls: { readonly ca?: string } | undefined;
}

/** @throws DATABASE_URL_INVALID, DATABASE_POOLED */
export function remoteServer({ url, caCert }: Pick<RemoteDatabase, "url" | "caCert">): RemoteServer {
  const { host, port, user, database, password, isEncrypted } = readDatabaseUrl(url, caCert !== undefined);
  const tls = caCert === undefined ? {} : { ca: caCert };
  return { address: host, port, user, database, password, tls: isEncrypted ? tls : undefined };
}
