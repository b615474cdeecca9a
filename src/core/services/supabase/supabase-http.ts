import type * as z from "zod";
import { IkomaError } from "../../errors.ts";
import { redactor } from "../../redaction.ts";
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

/** An answer that came in whole. */
interface Answer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | null;
}

const longestPauseMs = 60_000;
const firstPauseMs = 1_000;

/** JSON over HTTP: bounded in time, asked again within bounds, and with nothing secret in what it throws. */
export class SupabaseHttp {
  readonly #endpoint: SupabaseEndpoint;
  readonly #run: SupabaseRun;
  /** An API that does not like a value may say that value. */
  readonly #redact: (text: string) => string;

  /** @throws SUPABASE_AUTH for a key that no request can carry */
  constructor(endpoint: SupabaseEndpoint, run: SupabaseRun) {
    this.#endpoint = { ...endpoint, headers: sendable(endpoint) };
    this.#run = run;
    this.#redact = redactor([...Object.values(run.secrets), ...Object.values(endpoint.headers)]);
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
    const read = schema.safeParse(parsed(answer.text));
    if (read.success) return read.data;
    throw this.#strange(`answers ${request.method} ${request.path} with something else than Supabase does`);
  }

  /** For what is told by the answer's coming alone. */
  async send(request: SupabaseRequest): Promise<void> {
    const answer = await this.#taken(request);
    if (answer === undefined) throw this.#refused(request, "404 Not Found");
  }

  /** The status of an answer, whatever it is; no answer at all is an error. */
  async status(request: SupabaseRequest): Promise<number> {
    return (await this.#asked(request)).status;
  }

  /** @throws for what is no success; undefined for 404 */
  async #taken(request: SupabaseRequest): Promise<Answer | undefined> {
    const answer = await this.#asked(request);
    const { status, text } = answer;
    if (status >= 200 && status < 300) return answer;
    if (status === 404) return undefined;
    // Cut afterwards: of a secret at the cut a part would be left that is no longer known for one.
    const said = this.#redact(messageIn(text)).slice(0, longestMessage);
    const told = `${status}${said === "" ? "" : `: ${said}`}`;
    if (status === 401 || status === 403) throw this.#notAllowed(request, told);
    if (isPassing(status)) throw this.#strange(`answers ${request.method} ${request.path} with ${told}`);
    throw this.#refused(request, told);
  }

  async #asked(request: SupabaseRequest): Promise<Answer> {
    for (let tries = 0; ; tries += 1) {
      const isLast = request.once === true || tries >= this.#run.patience.retries;
      const answer = await this.#sent(request).catch((thrown: unknown) => {
        if (isLast || this.#run.signal.aborted) throw thrown;
        return undefined;
      });
      // A request that was turned away for its rate was not done, so even what must not be done twice may come again.
      const mayRepeat = answer?.status === 429 ? tries < this.#run.patience.retries : !isLast;
      if (answer !== undefined && (!isPassing(answer.status) || !mayRepeat)) return answer;
      await this.#run.pause(pauseMs(answer?.retryAfter ?? null, tries));
    }
  }

  async #sent({ method, path, body }: SupabaseRequest): Promise<Answer> {
    const { baseUrl, headers } = this.#endpoint;
    const { signal, patience } = this.#run;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    try {
      const response = await fetch(`${baseUrl.replace(/\/$/, "")}${path}`, {
        method,
        ...content,
        // Supabase refuses secret keys from what looks like a browser.
        headers: { accept: "application/json", "user-agent": "ikoma-bridge", ...type, ...headers },
        // Another server must not see the keys.
        redirect: "error",
        signal: AbortSignal.any([signal, AbortSignal.timeout(patience.answerMs)]),
      });
      const { status, headers: told } = response;
      return { status, text: await response.text(), retryAfter: told.get("retry-after") };
    } catch (thrown) {
      // Not as the cause: its message is shown too, and may hold what was sent.
      if (signal.aborted) throw new IkomaError("CANCELLED", "The work on Supabase was stopped.");
      const isLate = errorName(thrown) === "TimeoutError";
      const reason = isLate ? `no answer within ${patience.answerMs / 1000} s` : errorMessage(rootCause(thrown));
      throw this.#strange(`cannot be reached: ${this.#redact(reason)}`);
    }
  }

  #strange(what: string): IkomaError {
    const { name, baseUrl } = this.#endpoint;
    return new IkomaError("SUPABASE_UNREACHABLE", `${name} (${new URL(baseUrl).origin}) ${what}.`);
  }

  #notAllowed({ method, path }: SupabaseRequest, told: string): IkomaError {
    const { name, loginHint: hint } = this.#endpoint;
    return new IkomaError("SUPABASE_AUTH", `${name} does not allow ${method} ${path} (${told}).`, { hint });
  }

  #refused({ method, path }: SupabaseRequest, told: string): IkomaError {
    return new IkomaError("SUPABASE_REFUSED", `${this.#endpoint.name} refuses ${method} ${path} (${told}).`);
  }
}

/** The headers, without the line break that a key from a file ends with. */
function sendable({ name, headers, loginHint: hint }: SupabaseEndpoint): Record<string, string> {
  const trimmed = Object.entries(headers).map(([header, value]) => [header, value.trim()] as const);
  if (trimmed.some(([, value]) => /[^\t\x20-\x7e\x80-\xff]/.test(value)))
    throw new IkomaError(
      "SUPABASE_AUTH",
      `${name} is not asked: no request can carry the key, as it has a line break or the like in it.`,
      { hint },
    );
  return Object.fromEntries(trimmed);
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
  const told = parsed(body);
  const message: unknown = typeof told === "object" && told !== null ? Reflect.get(told, "message") : undefined;
  return typeof message === "string" ? message : "";
}

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
