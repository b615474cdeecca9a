import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { base62, formatToken, parseToken, type TokenKind } from "../core/link/api-token.ts";
import type { ApiStore, TokenRecord } from "./store/api-store.ts";

/** What a token is made for. */
export interface NewToken {
  readonly kind: TokenKind;
  readonly hosts: readonly string[];
  readonly note: string;
}

/** Makes a token and keeps its hash. The text is given this once. */
export async function createToken(
  store: ApiStore,
  { kind, hosts, note }: NewToken,
): Promise<{ id: string; text: string }> {
  const id = base62(numberOf(randomBytes(8)), 10);
  const secret = base62(numberOf(randomBytes(32)), 43);
  const hash = hashOf(secret).toString("hex");
  const createdMs = Date.now();
  await store.addToken({ id, kind, hash, hosts, note, createdMs, usedMs: undefined, revokedMs: undefined });
  return { id, text: formatToken({ kind, id, secret }) };
}

/** The token that a text is, where it is one that was given and not taken back. */
export async function checkToken(store: ApiStore, text: string): Promise<TokenRecord | undefined> {
  const parts = parseToken(text);
  if (parts === undefined) return undefined;
  const record = await store.findToken(parts.id);
  if (record?.kind !== parts.kind || record.revokedMs !== undefined) return undefined;
  // A plain hash will do: 256 random bits cannot be guessed, however fast.
  return timingSafeEqual(hashOf(parts.secret), Buffer.from(record.hash, "hex")) ? record : undefined;
}

function hashOf(secret: string): Buffer {
  return createHash("sha256").update(secret).digest();
}

function numberOf(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString("hex")}`);
}
