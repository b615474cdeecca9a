import { crc32 } from "node:zlib";

/** What a token is for: an agent takes calls for its one host, a caller reaches the hosts that it may, an admin manages tokens. */
export type TokenKind = "agent" | "caller" | "admin";
/** Of those that the API gives out and keeps. */
export type HostTokenKind = Exclude<TokenKind, "admin">;

/** A token, taken apart. */
export interface TokenParts {
  readonly kind: TokenKind;
  /** Under which the API knows it; no secret. */
  readonly id: string;
  /** 256 bits. */
  readonly secret: string;
}

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const shape = /^ikb_(agent|caller|admin)_([0-9A-Za-z]{10})_([0-9A-Za-z]{43})([0-9A-Za-z]{6})$/;

/**
 * `ikb_<kind>_<id>_<secret><checksum>`: known at sight, by people and by scanners for leaked secrets; the checksum
 * tells a typing error without asking anybody. (After GitHub's token format of 2021.)
 */
export function formatToken({ kind, id, secret }: TokenParts): string {
  const body = `ikb_${kind}_${id}_${secret}`;
  return body + checksum(body);
}

/** Undefined for what is no token, or has a typing error. */
export function parseToken(text: string): TokenParts | undefined {
  const [, kind, id, secret, sum] = shape.exec(text) ?? [];
  if ((kind !== "agent" && kind !== "caller" && kind !== "admin") || id === undefined || secret === undefined)
    return undefined;
  return checksum(`ikb_${kind}_${id}_${secret}`) === sum ? { kind, id, secret } : undefined;
}

/** A number, or bytes as a number, in letters and digits, `length` of them. */
export function base62(value: bigint, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest /= 62n) text = (digits[Number(rest % 62n)] ?? "") + text;
  return text;
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), 6);
}
