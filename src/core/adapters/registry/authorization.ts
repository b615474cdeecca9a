import * as z from "zod";
import { IkomaError } from "../../errors.ts";
import type { Credentials } from "./credentials.ts";

/** A `WWW-Authenticate` header. */
export interface Challenge {
  scheme: "basic" | "bearer";
  parameters: Readonly<Record<string, string>>;
}

const tokenAnswer = z.looseObject({ token: z.string().optional(), access_token: z.string().optional() });

/** Reads a challenge; undefined when it is of a scheme that registries do not use. */
export function parseChallenge(header: string | null): Challenge | undefined {
  const [, scheme, rest] = /^(basic|bearer)(?:\s+(.*))?$/i.exec(header?.trim() ?? "") ?? [];
  if (scheme === undefined) return undefined;
  const pairs = [...(rest ?? "").matchAll(/([a-z_]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi)];
  const entries = pairs.map(([, name = "", quoted, bare = ""]) => {
    return [name.toLowerCase(), quoted?.replace(/\\(.)/g, "$1") ?? bare] as const;
  });
  return { scheme: scheme.toLowerCase() === "basic" ? "basic" : "bearer", parameters: Object.fromEntries(entries) };
}

/** What is needed to answer a challenge. */
export interface AnswerRequest {
  registry: string;
  /** `repository:NAME:pull` or `…:pull,push`, for servers that do not say it themselves. */
  scope: string;
  credentials: Credentials | undefined;
  /** Whether the registry itself was reached over TLS. */
  secure: boolean;
  fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/**
 * The `Authorization` header that answers a challenge, by Docker's token protocol
 * (https://distribution.github.io/distribution/spec/auth/token/).
 *
 * @throws IkomaError REGISTRY_AUTH when there are no credentials or they are refused.
 */
export async function answerChallenge(challenge: Challenge, request: AnswerRequest): Promise<string> {
  const { credentials, registry } = request;
  if (challenge.scheme === "basic") {
    if (credentials === undefined || !("username" in credentials)) throw loginNeeded(registry);
    return basic(credentials);
  }
  const response = await request.fetch(...tokenRequest(challenge, request));
  if (!response.ok) throw loginNeeded(registry);
  const answer = tokenAnswer.safeParse(await response.json().catch(() => undefined));
  const token = answer.data?.token ?? answer.data?.access_token;
  if (token === undefined) throw new IkomaError("REGISTRY_AUTH", `The token server of ${registry} gave no token.`);
  return `Bearer ${token}`;
}

function tokenRequest(challenge: Challenge, request: AnswerRequest): [string, RequestInit] {
  const { realm = "", service = "", scope = request.scope } = challenge.parameters;
  if (!URL.canParse(realm) || (request.secure && !realm.startsWith("https:"))) {
    throw new IkomaError("REGISTRY_AUTH", `${request.registry} names no token server that is safe to log in to.`);
  }
  const { credentials } = request;
  if (credentials !== undefined && "identityToken" in credentials) {
    const form = { grant_type: "refresh_token", service, scope, client_id: "ikoma" };
    return [
      realm,
      { method: "POST", body: new URLSearchParams({ ...form, refresh_token: credentials.identityToken }) },
    ];
  }
  const url = new URL(realm);
  url.searchParams.set("service", service);
  for (const each of scope.split(" ")) url.searchParams.append("scope", each);
  return [url.href, { headers: credentials === undefined ? {} : { authorization: basic(credentials) } }];
}

function basic({ username, password }: Extract<Credentials, { username: string }>): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** The error of a request that may not be made, or not without a login. */
export function loginNeeded(registry: string): IkomaError {
  return new IkomaError(
    "REGISTRY_AUTH",
    `${registry} refused the request: the repository needs a login or does not exist.`,
    {
      hint: `Log in with \`docker login ${registry}\`, or correct the reference.`,
    },
  );
}
