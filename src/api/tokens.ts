import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { base62, formatToken, parseToken, type TokenKind, type TokenParts } from "../core/link/api-token.ts";
import { formatFingerprint, type AdminFingerprint } from "../core/link/admin-fingerprint.ts";
import type { TokenRequest, TokenView } from "../core/link/token-protocol.ts";
import type { ApiStore, TokenRecord } from "./store/api-store.ts";

/**
 * Makes a token and keeps its hash. The text is given this once.
 *
 * @param createdBy as the store has it ({@link TokenRecord})
 */
export async function createToken(
  store: ApiStore,
  { kind, hosts, note }: TokenRequest,
  createdBy: string,
): Promise<{ id: string; text: string }> {
  const { id, hash, text } = mintToken(kind);
  const createdMs = Date.now();
  const unused = { usedMs: undefined, revokedMs: undefined };
  await store.addToken({ id, kind, hash, hosts, note, createdMs, createdBy, ...unused });
  return { id, text };
}

/** Makes an administrator's token. The API is told its fingerprint and nothing else; nobody keeps the text. */
export function createAdminToken(): { fingerprint: string; text: string } {
  const { id, hash, text } = mintToken("admin");
  return { fingerprint: formatFingerprint({ id, hash }), text };
}

/** Whether an administrator's token is that of one of these. */
export function isAdminToken(admins: readonly AdminFingerprint[], token: TokenParts): boolean {
  const admin = token.kind === "admin" ? admins.find(({ id }) => id === token.id) : undefined;
  return admin !== undefined && isSecret(token.secret, admin.hash);
}

/** All tokens, for people: the newest last, without what they are checked by. */
export async function tokenViews(store: ApiStore): Promise<TokenView[]> {
  return (await store.tokens()).map(({ id, kind, hosts, note, createdMs, createdBy, usedMs, revokedMs }) => ({
    ...{ id, kind, hosts: [...hosts], note, createdMs },
    ...(createdBy !== undefined && { createdBy }),
    ...(usedMs !== undefined && { usedMs }),
    ...(revokedMs !== undefined && { revokedMs }),
  }));
}

/** The token that a text is, where it is one that was given and not taken back. */
export async function checkToken(store: ApiStore, text: string): Promise<TokenRecord | undefined> {
  const parts = parseToken(text);
  if (parts === undefined) return undefined;
  const record = await store.findToken(parts.id);
  if (record?.kind !== parts.kind || record.revokedMs !== undefined) return undefined;
  return isSecret(parts.secret, record.hash) ? record : undefined;
}

function mintToken(kind: TokenKind): { id: string; hash: string; text: string } {
  const id = base62(numberOf(randomBytes(8)), 10);
  const secret = base62(numberOf(randomBytes(32)), 43);
  return { id, hash: hashOf(secret).toString("hex"), text: formatToken({ kind, id, secret }) };
}

/** A plain hash will do: 256 random bits cannot be guessed, however fast. */
function isSecret(secret: string, hash: string): boolean {
  return timingSafeEqual(hashOf(secret), Buffer.from(hash, "hex"));
}

function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

function numberOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString("hex")}`);
}
