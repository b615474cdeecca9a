import type * as z from "zod";
import { IkomaError } from "../../errors.ts";
import { errorMessage, errorName, rootCause } from "../../system-error.ts";
import type { SupabaseRun } from "./supabase-mode.ts";

/** One request to an API of Supabase. */
export interface SupabaseRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH";
  /** Below the base address, with query: `/v1/projects`. */
  readonly path: string;
  readonly body?: unknown;
  /** Must not be sent twice: it is not asked again where the answer does not come. */
  readonly once?: true;
}

/** Where requests go, and with which keys. */
export interface SupabaseEndpoint {
  /** For messages: `The Management API`. */
  readonly name: string;
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What to do when these keys are refused. */
  readonly loginHint: string;
}

const longestPauseMs = 60_000;
const firstPauseMs = 1_000;

/** JSON over HTTP: bounded in time, asked again within bounds, and with nothing secret in what it throws. */
export class SupabaseHttp {
  readonly #endpoint: SupabaseEndpoint;
  readonly #run: SupabaseRun;

  constructor(endpoint: SupabaseEndpoint, run: SupabaseRun) {
    this.#endpoint = endpoint;
    this.#run = run;
  }

  /**
   * The answer's body.
   *
   * @throws SUPABASE_UNREACHABLE (no answer, too many requests, not Supabase), SUPABASE_AUTH, SUPABASE_REFUSED
   */
  async json<T>(request: SupabaseRequest, schema: z.ZodType<T>): Promise<T> {
    const body = await this.jsonUnlessGone(request, schema);
    if (body !== undefined) return body;
    throw this.#refused(request, "404 Not Found");
  }

  /** As `json`; undefined where there is no such thing (404). */
  async jsonUnlessGone<T>(request: SupabaseRequest, schema: z.ZodType<T>): Promise<T | undefined> {
    const answer = await this.#taken(request);
    if (answer === undefined) return undefined;
    const body: unknown = await answer.json().catch(() => undefined);
    const read = schema.safeParse(body);
    if (read.success) return read.data;
    throw this.#strange(`answers ${request.method} ${request.path} with something else than Supabase does`);
  }

  /** For what is told by the answer's coming alone. */
  async send(request: SupabaseRequest): Promise<void> {
    const answer = await this.#taken(request);
    if (answer === undefined) throw this.#refused(request, "404 Not Found");
    await answer.body?.cancel();
  }

  /** The status of an answer, whatever it is; no answer at all is an error. */
  async status(request: SupabaseRequest): Promise<number> {
    const answer = await this.#asked(request);
    await answer.body?.cancel();
    return answer.status;
  }

  /** @throws for what is no success; undefined for 404 */
  async #taken(request: SupabaseRequest): Promise<Response | undefined> {
    const answer = await this.#asked(request);
    if (answer.ok) return answer;
    const text = await answer.text().catch(() => "");
    if (answer.status === 404) return undefined;
    const said = this.#cleaned(messageIn(text));
    const told = `${answer.status}${said === "" ? "" : `: ${said}`}`;
    if (answer.status === 401 || answer.status === 403) throw this.#notAllowed(request, told);
    if (isPassing(answer.status)) throw this.#strange(`answers ${request.method} ${request.path} with ${told}`);
    throw this.#refused(request, told);
  }

  async #asked(request: SupabaseRequest): Promise<Response> {
    for (let tries = 0; ; tries += 1) {
      const isLast = request.once === true || tries >= this.#run.patience.retries;
      const answer = await this.#sent(request).catch((thrown: unknown) => {
        if (isLast || this.#run.signal.aborted) throw thrown;
        return undefined;
      });
      // A request that was turned away for its rate was not done, so even what must not be done twice may come again.
      const mayRepeat = answer?.status === 429 ? tries < this.#run.patience.retries : !isLast;
      if (answer !== undefined && (!isPassing(answer.status) || !mayRepeat)) return answer;
      await answer?.body?.cancel();
      await this.#run.pause(pauseMs(answer?.headers.get("retry-after") ?? null, tries));
    }
  }

  async #sent({ method, path, body }: SupabaseRequest): Promise<Response> {
    const { baseUrl, headers } = this.#endpoint;
    const { signal, patience } = this.#run;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    try {
      return await fetch(`${baseUrl.replace(/\/$/, "")}${path}`, {
        method,
        ...content,
        // Supabase refuses secret keys from what looks like a browser.
        headers: { accept: "application/json", "user-agent": "ikoma-bridge", ...type, ...headers },
        // Another server must not see the keys.
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(patience.answerMs)]),
      });
    } catch (cause) {
      if (signal.aborted) throw new IkomaError("CANCELLED", "The work on Supabase was stopped.", { cause });
      const isLate = errorName(cause) === "TimeoutError";
      const reason = isLate ? `no answer within ${patience.answerMs / 1000} s` : errorMessage(rootCause(cause));
      throw this.#strange(`cannot be reached: ${this.#cleaned(reason)}`, cause);
    }
  }

  #strange(what: string, cause?: unknown): IkomaError {
    const { name, baseUrl } = this.#endpoint;
    return new IkomaError("SUPABASE_UNREACHABLE", `${name} (${new URL(baseUrl).origin}) ${what}.`, { cause });
  }

  #notAllowed({ method, path }: SupabaseRequest, told: string): IkomaError {
    const { name, loginHint: hint } = this.#endpoint;
    return new IkomaError("SUPABASE_AUTH", `${name} does not allow ${method} ${path} (${told}).`, { hint });
  }

  #refused({ method, path }: SupabaseRequest, told: string): IkomaError {
    return new IkomaError("SUPABASE_REFUSED", `${this.#endpoint.name} refuses ${method} ${path} (${told}).`);
  }

  /** An API that does not like a value may say that value. */
  #cleaned(text: string): string {
    const secrets = [...Object.values(this.#run.secrets), ...Object.values(this.#endpoint.headers)];
    return secrets.filter((each) => each !== "").reduce((clean, each) => clean.replaceAll(each, "[secret]"), text);
  }
}

/** What may be otherwise in a moment. */
function isPassing(status: number): boolean {
  return status === 429 || status >= 500;
}

/** As the API asks, in seconds or until a date; else twice as long each time. */
function pauseMs(retryAfter: string | null, tries: number): number {
  const seconds = Number(retryAfter ?? Number.NaN);
  const asked = Number.isNaN(seconds) ? Date.parse(retryAfter ?? "") - Date.now() : seconds * 1000;
  const pause = Number.isNaN(asked) ? firstPauseMs * 2 ** tries : asked;
  return Math.min(Math.max(pause, 0), longestPauseMs);
}

const longestMessage = 300;

function messageIn(body: string): string {
  try {
    const told: unknown = JSON.parse(body);
    const message: unknown = typeof told === "object" && told !== null ? Reflect.get(told, "message") : undefined;
    return typeof message === "string" ? message.slice(0, longestMessage) : "";
  } catch {
    return "";
  }
}
