import { IkomaError } from "../errors.ts";
import { ApiClient, ApiRefusal, type ApiAccess } from "./api-client.ts";
import { tokenList, tokenMade, type TokenMade, type TokenRequest, type TokenView } from "./token-protocol.ts";

/** Tokens of an API that runs elsewhere, managed over HTTP with an administrator's token. */
export class RemoteTokens implements AsyncDisposable {
  readonly #api: ApiClient;

  constructor(access: ApiAccess) {
    this.#api = new ApiClient(access);
  }

  /** @throws API_UNREACHABLE, API_AUTH; as all here */
  async create(body: TokenRequest): Promise<TokenMade> {
    return tokenMade.parse(await refusedAs(this.#api.json({ method: "POST", path: "/v1/tokens", body })));
  }

  async list(): Promise<TokenView[]> {
    return tokenList.parse(await refusedAs(this.#api.json({ method: "GET", path: "/v1/tokens" }))).tokens;
  }

  /** False where there is no such token. */
  async revoke(id: string): Promise<boolean> {
    const path = `/v1/tokens/${encodeURIComponent(id)}`;
    try {
      await this.#api.json({ method: "DELETE", path });
      return true;
    } catch (error) {
      if (error instanceof ApiRefusal && error.problem?.code === "TOKEN_UNKNOWN") return false;
      throw told(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#api.close();
  }
}

async function refusedAs<T>(asked: Promise<T>): Promise<T> {
  return asked.catch((error: unknown) => {
    throw told(error);
  });
}

/** A refusal of the API as people are told of it. */
function told(error: unknown): unknown {
  if (!(error instanceof ApiRefusal)) return error;
  if (error.status !== 401 && error.status !== 403)
    return new IkomaError("API_UNREACHABLE", `The API refused: ${error.message}`, { cause: error });
  return new IkomaError("API_AUTH", error.message, {
    hint: "Is the fingerprint of this token in the API's settings (`ikoma:bridge.admins`), and were they deployed?",
    cause: error,
  });
}
