import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from "fastify";
import type { AdminFingerprint } from "../core/link/admin-fingerprint.ts";
import { parseToken, type HostTokenKind, type TokenKind } from "../core/link/api-token.ts";
import { ApiProblem } from "./problems.ts";
import type { ApiStore, TokenRecord } from "./store/api-store.ts";
import { checkToken, isAdminToken } from "./tokens.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Set by {@link requireToken} before the route's handler. */
    token?: TokenRecord;
    /** Id of the administrator who asks; set by {@link requireAdmin}. */
    admin?: string;
  }
}

/** When a token was used is written down this often at most, in ms. */
const usedEveryMs = 60_000;

/** Lets only requests with a token of this kind through. Before their body is read. */
export function requireToken(store: ApiStore, kind: HostTokenKind): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const token = await tokenOf(store, request);
    if (token === undefined) throw notAuthenticated(reply);
    if (token.kind !== kind) throw wrongKind(kind, token.kind);
    if (Date.now() - (token.usedMs ?? 0) > usedEveryMs) await noteUse(store, token.id, request);
    request.token = token;
  };
}

/** For people: where it cannot be written down, whoever asks is let through all the same. */
async function noteUse(store: ApiStore, id: string, { log }: FastifyRequest): Promise<void> {
  try {
    await store.tokenUsed(id, Date.now());
  } catch (error) {
    log.warn({ token: id, reason: String(error) }, "when a token was used could not be written down");
  }
}

/** Lets only administrators through. Before the request's body is read. */
export function requireAdmin(admins: readonly AdminFingerprint[]): onRequestAsyncHookHandler {
  return async (request, reply) => {
    const token = parseToken(bearerOf(request) ?? "");
    if (token === undefined) throw notAuthenticated(reply);
    if (token.kind !== "admin") throw wrongKind("admin", token.kind);
    if (!isAdminToken(admins, token)) throw notAuthenticated(reply);
    request.admin = token.id;
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

/** Id of the administrator who asks. */
export function adminOf({ admin }: FastifyRequest): string {
  if (admin === undefined) throw new Error("a route for administrators without one");
  return admin;
}

/** The caller's token, if it may reach the host. */
export function callerFor({ token }: FastifyRequest, host: string): TokenRecord {
  if (token?.kind !== "caller") throw new Error("a route for callers without a caller's token");
  if (token.hosts.includes(host)) return token;
  throw new ApiProblem(403, "API_AUTH", `This token may not reach the host ${host}.`);
}

async function tokenOf(store: ApiStore, request: FastifyRequest): Promise<TokenRecord | undefined> {
  const text = bearerOf(request);
  return text === undefined ? undefined : checkToken(store, text);
}

function bearerOf({ headers }: FastifyRequest): string | undefined {
  return /^Bearer ([A-Za-z0-9_]+)$/.exec(headers.authorization ?? "")?.[1];
}

function notAuthenticated(reply: FastifyReply): ApiProblem {
  void reply.header("www-authenticate", 'Bearer realm="ikoma"');
  return new ApiProblem(401, "API_AUTH", "The request has no token, or one that is wrong or was revoked.");
}

function wrongKind(wanted: TokenKind, given: TokenKind): ApiProblem {
  return new ApiProblem(403, "API_AUTH", `This is for tokens of the kind ${wanted}; the request has one of ${given}.`);
}
