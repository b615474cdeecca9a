import { readFile } from "node:fs/promises";
import { IkomaError } from "../../../core/errors.ts";
import type { TokenMade, TokenRequest, TokenView } from "../../../core/link/token-protocol.ts";

/** Where tokens are made and taken back: at the API's store on this machine, or at an API that runs elsewhere. */
export interface TokenDesk extends AsyncDisposable {
  create(request: TokenRequest): Promise<TokenMade>;
  list(): Promise<TokenView[]>;
  /** False where there is no such token. */
  revoke(id: string): Promise<boolean>;
}

/** Which of the two; of the parsed command line. */
export interface DeskArguments {
  readonly state: string | undefined;
  readonly api: string | undefined;
  readonly "ca-cert": string | undefined;
}

/**
 * Opens the desk that the command line names.
 *
 * @throws USAGE where it names none or both, or no address; API_AUTH without an administrator's token
 */
export async function openTokenDesk({ state, api, "ca-cert": caFile }: DeskArguments): Promise<TokenDesk> {
  if ((state === undefined) === (api === undefined))
    throw new IkomaError(
      "USAGE",
      "Which API: --state DIR for a store on this machine, or --api URL for one elsewhere?",
    );
  if (api !== undefined) return remoteDesk(api, caFile);
  if (caFile !== undefined) throw new IkomaError("USAGE", "--ca-cert belongs to --api.");
  return localDesk(state ?? "");
}

async function remoteDesk(url: string, caFile: string | undefined): Promise<TokenDesk> {
  const [{ httpsAddress }, { readAdminToken }, { RemoteTokens }] = await Promise.all([
    import("../../../core/link/https-address.ts"),
    import("../../../core/transport/api-token-source.ts"),
    import("../../../core/link/remote-tokens.ts"),
  ]);
  const address = httpsAddress.safeParse(url);
  if (!address.success) throw new IkomaError("USAGE", `--api: ${address.error.issues[0]?.message ?? "no address"}.`);
  // Before anything is asked: a token that is not there is said at once.
  const token = await readAdminToken();
  return new RemoteTokens({ url, token: () => token, caCert: await readCaCert(caFile) });
}

async function readCaCert(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return readFile(file, "utf8").catch((cause: unknown) => {
    throw new IkomaError("USAGE", `--ca-cert: ${file} cannot be read.`, { cause });
  });
}

async function localDesk(state: string): Promise<TokenDesk> {
  const [{ SqliteStore }, { madeOnTheMachine }, { createToken, tokenViews }] = await Promise.all([
    import("../../../api/store/sqlite-store.ts"),
    import("../../../api/store/api-store.ts"),
    import("../../../api/tokens.ts"),
  ]);
  const store = SqliteStore.open(state);
  return {
    create: async (request) => {
      const { id, text: token } = await createToken(store, request, madeOnTheMachine);
      return { id, token };
    },
    list: () => tokenViews(store),
    revoke: (id) => store.revokeToken(id, Date.now()),
    [Symbol.asyncDispose]: () => {
      store.close();
      return Promise.resolve();
    },
  };
}
