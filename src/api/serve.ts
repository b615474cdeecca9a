import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { pino } from "pino";
import { IkomaError } from "../core/errors.ts";
import type { AdminFingerprint } from "../core/link/admin-fingerprint.ts";
import { isLoopback } from "../core/link/loopback.ts";
import { createApi } from "./server.ts";
import { SqliteStore } from "./store/sqlite-store.ts";

/** Files with the server's certificate (chain) and its key, as PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ServeOptions {
  readonly host: string;
  /** 0 for a free one. */
  readonly port: number;
  readonly tls: TlsFiles | undefined;
  /** Folder of the store. */
  readonly state: string;
  readonly version: string;
  /** Who may manage tokens over HTTP. @default nobody */
  readonly admins?: readonly AdminFingerprint[];
  /** Only a proxy on the same host can reach it, over a network that does not leave that: plain HTTP will do. */
  readonly isBehindProxy?: boolean;
}

/** An API that listens, at `address`. */
export interface ServedApi {
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Serves the API on one machine, its log on standard error.
 *
 * @throws CONFIG_INVALID for plain HTTP where others would hear it, USAGE where it cannot listen, JOURNAL_NEWER
 */
export async function serveApi(options: ServeOptions): Promise<ServedApi> {
  const { host, port, tls, state, version, admins, isBehindProxy = false } = options;
  if (!isBehindProxy) requireTls(host, tls);
  const certificate = tls === undefined ? undefined : await readCertificate(tls);
  const log = pino({ base: { name: "ikoma-api" } }, pino.destination(2));
  const store = SqliteStore.open(state);
  try {
    const api = await createApi({ store, log, version, tls: certificate, admins });
    await api.listen({ host, port }).catch(async (cause: unknown) => {
      // What it does now and then would keep the process from ending.
      await api.close();
      throw new IkomaError("USAGE", `The API cannot listen on ${host}:${port}: ${String(cause)}`, { cause });
    });
    const close = async (): Promise<void> => {
      await api.close();
      store.close();
    };
    return { address: api.listeningOrigin, close };
  } catch (error) {
    store.close();
    throw error;
  }
}

/**
 * Serves the API until this process is told to end (SIGTERM, SIGINT).
 *
 * @param onServing gets the address that it listens on
 * @throws as {@link serveApi}
 */
export async function serveUntilTold(options: ServeOptions, onServing?: (address: string) => void): Promise<void> {
  const told = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.once(signal, () => {
        resolve();
      });
  });
  const api = await serveApi(options);
  onServing?.(api.address);
  await told;
  await api.close();
}

async function readCertificate({ certFile, keyFile }: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    // Whether they belong together shows here, not at the first request.
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new IkomaError("CONFIG_INVALID", `The API's certificate cannot be used: ${reason}`, {
      hint: "Correct --tls-cert and --tls-key.",
      cause,
    });
  }
}

function requireTls(host: string, tls: TlsFiles | undefined): void {
  if (tls !== undefined || isLoopback(host)) return;
  throw new IkomaError("CONFIG_INVALID", `On ${host} others would read tokens and secrets: the API needs TLS there.`, {
    hint: "Give --tls-cert and --tls-key, or listen on 127.0.0.1 behind a proxy that has a certificate.",
  });
}
