import { IkomaError } from "../../errors.ts";
import { errorCode, errorMessage, errorName, rootCause } from "../../system-error.ts";
import { answerChallenge, loginNeeded, parseChallenge } from "./authorization.ts";
import { dockerCredentials } from "./credentials.ts";
import { endpointsOf } from "./endpoint.ts";
import type { Endpoint, RegistryOptions } from "./endpoint.ts";

const defaultTimeoutMs = 10_000;
type Init = { headers?: Record<string, string>; body?: Uint8Array<ArrayBuffer> };

/** What a token is asked for. */
export type RegistryActions = "pull" | "pull,push" | "pull,push,delete";

/** Requests to one repository: finds the endpoint that answers, logs in when asked to, and keeps the token. */
export class RegistryConnection {
  readonly #registry: string;
  readonly #repository: string;
  readonly #scope: string;
  readonly #timeoutMs: number;
  #endpoints: [Endpoint, ...Endpoint[]];
  #authorization: string | undefined;

  constructor(registry: string, repository: string, actions: RegistryActions, options: RegistryOptions) {
    this.#registry = registry;
    this.#repository = repository;
    this.#scope = `repository:${repository}:${actions}`;
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#endpoints = endpointsOf(registry, options);
  }

  /**
   * One request; `target` is below the repository (`manifests/v1`), or a whole URL that the registry gave.
   *
   * @throws IkomaError REGISTRY_UNREACHABLE, REGISTRY_AUTH
   */
  async request(method: string, target: string | URL, init: Init = {}): Promise<Response> {
    const first = await this.#send(method, target, init);
    if (first.status === 403) throw loginNeeded(this.#registry);
    if (first.status !== 401) return first;
    await first.body?.cancel();
    this.#authorization = await this.#logIn(first.headers.get("www-authenticate"));
    const second = await this.#send(method, target, init);
    if (second.status === 401 || second.status === 403) throw loginNeeded(this.#registry);
    return second;
  }

  async #logIn(header: string | null): Promise<string> {
    const [endpoint] = this.#endpoints;
    const challenge = parseChallenge(header);
    if (challenge === undefined) throw loginNeeded(this.#registry);
    if (!endpoint.mayAuthenticate) {
      throw new IkomaError("REGISTRY_AUTH", `${this.#registry} asks for a login but does not speak TLS.`, {
        hint: "Give the registry a certificate, or allow it in clear with --plain-http.",
      });
    }
    return answerChallenge(challenge, {
      registry: this.#registry,
      scope: this.#scope,
      credentials: await dockerCredentials(this.#registry),
      secure: endpoint.baseUrl.startsWith("https:"),
      fetch: (url, request) => this.#fetch(url, request),
    });
  }

  async #send(method: string, target: string | URL, init: Init): Promise<Response> {
    const [endpoint, fallback] = this.#endpoints;
    try {
      return await this.#fetch(this.#url(endpoint, target), this.#request(method, target, init));
    } catch (thrown) {
      if (fallback === undefined || !speaksNoTls(thrown)) throw thrown;
      this.#endpoints = [fallback];
      return await this.#fetch(this.#url(fallback, target), this.#request(method, target, init));
    }
  }

  #url(endpoint: Endpoint, target: string | URL): string {
    return typeof target === "string" ? `${endpoint.baseUrl}/v2/${this.#repository}/${target}` : target.href;
  }

  #request(method: string, target: string | URL, init: Init): RequestInit {
    // An upload may go to another server (a signed URL of a store): it must not see the token.
    const own = typeof target === "string" || target.origin === new URL(this.#endpoints[0].baseUrl).origin;
    const authorization = own && this.#authorization !== undefined ? { authorization: this.#authorization } : {};
    return { method, ...init, headers: { ...init.headers, ...authorization } };
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(url, { ...init, signal: AbortSignal.timeout(this.#timeoutMs) });
    } catch (cause) {
      const late = errorName(cause) === "TimeoutError";
      const reason = late ? `it did not answer within ${this.#timeoutMs / 1000} s` : errorMessage(rootCause(cause));
      throw new IkomaError("REGISTRY_UNREACHABLE", `The registry ${this.#registry} cannot be reached: ${reason}.`, {
        details: { url: new URL(url).origin },
        cause,
      });
    }
  }
}

function speaksNoTls(thrown: unknown): boolean {
  const code = errorCode(rootCause(thrown)) ?? "";
  return ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_PACKET_LENGTH_TOO_LONG", "EPROTO"].includes(code);
}
