import type * as z from "zod";
import { IkomaError } from "../errors.ts";
import { ApiClient, ApiRefusal, type ApiAccess, type ApiRequest } from "./api-client.ts";
import { tokenList, tokenMade, type TokenMade, type TokenRequest, type TokenView } from "./token-protocol.ts";

/** Tokens of an API that runs elsewhere, managed over HTTP with an administrator's token. */
export class RemoteTokens implements AsyncDisposable {
  readonly #url: string;
  readonly #api: ApiClient;

  constructor(access: ApiAccess) {
    this.#url = access.url;
    this.#api = new ApiClient(access);
  }

  /** @throws API_UNREACHABLE, API_AUTH, as all here; USAGE for a request that is not as it has to be */
  async create(body: TokenRequest): Promise<TokenMade> {
    // Asked twice there could be two, and nobody would know of the first.
    return this.#ask(tokenMade, { method: "POST", path: "/v1/tokens", body, once: true });
  }

  async list(): Promise<TokenView[]> {
    return (await this.#ask(tokenList, { method: "GET", path: "/v1/tokens" })).tokens;
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

  async #ask<S extends z.ZodType>(schema: S, request: ApiRequest): Promise<z.infer<S>> {
    const answer: unknown = await this.#api.json(request).catch((error: unknown) => {
      throw told(error);
    });
    const read = schema.safeParse(answer);
    if (read.success) return read.data;
    throw new IkomaError("API_UNREACHABLE", `What answers at ${this.#url} is no Bridge's API.`, {
      hint: "Correct the address.",
      cause: read.error,
    });
  }
}

/** A refusal of the API as people are told of it. */
function told(error: unknown): unknown {
  if (!(error instanceof ApiRefusal)) return error;
  if (error.status !== 401 && error.status !== 403) {
    const code = error.status === 400 ? "USAGE" : "API_UNREACHABLE";
    return new IkomaError(code, `The API refused: ${error.message}`, { cause: error });
  }
  return new IkomaError("API_AUTH", error.message, {
    hint: "Is the fingerprint of this token in the API's settings (`ikoma:bridge.admins`), and were they deployed?",
    cause: error,
  });
}
