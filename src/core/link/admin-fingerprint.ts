import * as z from "zod";
import { IkomaError, type ErrorCode } from "../errors.ts";

/** What the API knows of an administrator's token. It opens nothing, so it need not be kept secret. */
export interface AdminFingerprint {
  readonly id: string;
  /** SHA-256 of the token's secret, hexadecimal. */
  readonly hash: string;
}

const shape = /^([0-9A-Za-z]{10}):([0-9a-f]{64})$/;

/** A fingerprint as it is written: `id:sha256`. */
export const fingerprintText = z.string().regex(shape, "a fingerprint, as `ikoma api token admin` prints it");

export function formatFingerprint({ id, hash }: AdminFingerprint): string {
  return `${id}:${hash}`;
}

/** Undefined for what is none. */
export function parseFingerprint(text: string): AdminFingerprint | undefined {
  const [, id, hash] = shape.exec(text) ?? [];
  return id === undefined || hash === undefined ? undefined : { id, hash };
}

/**
 * The fingerprint that a text is.
 *
 * @param from where the text was given, for the message; a token that was given there by mistake is not quoted
 * @throws IkomaError with `code`
 */
export function requireFingerprint(text: string, from: string, code: ErrorCode): AdminFingerprint {
  const found = parseFingerprint(text);
  if (found !== undefined) return found;
  throw new IkomaError(code, `${from}: that is no fingerprint of an administrator's token.`, {
    hint: "`ikoma api token admin` prints it, beside the token itself, which is not to be given here.",
  });
}
