import type { FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import type { TokenKind } from "../core/link/api-token.ts";
import { ApiProblem } from "./problems.ts";
import type { ApiStore, TokenRecord } from "./store/api-store.ts";
import { checkToken } from "./tokens.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set by {@link requireToken} before the route's handler. */
    token?: TokenRecord;
  }
}

/** When a token was used is written down this often at most, in ms. */
const usedEveryMs = 60_000;

/** Lets only requests with a token of this kind through. Before their body is read. */
export function requireToken(store: ApiStore, kind: TokenKind): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const token = await tokenOf(store, request);
    if (token === undefined) {
      void reply.header("www-authenticate", 'Bearer realm="ikoma"');
      throw new ApiProblem(401, "API_AUTH", "The request has no token, or one that is wrong or was revoked.");
    }
    if (token.kind !== kind)
      throw new ApiProblem(
        403,
        "API_AUTH",
        `This is for tokens of the kind ${kind}; the request has one of ${token.kind}.`,
      );
    if (Date.now() - (token.usedMs ?? 0) > usedEveryMs) await store.tokenUsed(token.id, Date.now());
    request.token = token;
  };
}

/** Whether the token that a request came with is still good: what stays open asks now and then. */
export async function isTokenGood(store: ApiStore, request: FastifyRequest): Promise<boolean> {
  return (await tokenOf(store, request)) !== undefined;
}

/** The host of an agent's token. */
export function agentHost({ token }: FastifyRequest): string {
  const host = token?.kind === "agent" ? token.hosts[0] : undefined;
  if (host === undefined) throw new Error("a route for agents without an agent's token");
  return host;
}

/** The caller's token, if it may reach the host. */
export function callerFor({ token }: FastifyRequest, host: string): TokenRecord {
  if (token?.kind !== "caller") throw new Error("a route for callers without a caller's token");
  if (token.hosts.includes(host)) return token;
  throw new ApiProblem(403, "API_AUTH", `This token may not reach the host ${host}.`);
}

async function tokenOf(store: ApiStore, request: FastifyRequest): Promise<TokenRecord | undefined> {
  const [, text] = /^Bearer ([A-Za-z0-9_]+)$/.exec(request.headers.authorization ?? "") ?? [];
  return text === undefined ? undefined : checkToken(store, text);
}
