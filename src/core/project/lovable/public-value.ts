import * as z from "zod";
import { looksSecret } from "../../bundle/compose/secret-look.ts";

const claims = z.looseObject({ role: z.string().optional() });

/** Keys of payment and AI services that their makers say are secret. */
const secretPrefixes = /^(sk_(live|test)_|rk_(live|test)_|sk-[A-Za-z0-9_-]{20}|whsec_|re_[A-Za-z0-9]{8})/;

/** Supabase's name for a project is 20 letters or digits; other names before the domain are examples. */
export const supabaseHost = /\b[a-z0-9]{20}\.supabase\.(?:co|in|red)\b/g;

/**
 * Why a value must not reach a visitor; undefined where nothing speaks against it. Only the value tells: keys that
 * are made for browsers have names like `API_KEY` too.
 */
export function secretReason(value: string): string | undefined {
  if (claimsOf(value)?.role === "service_role") return "a Supabase service_role key, which passes every policy";
  if (value.startsWith("sb_secret_")) return "a secret key of Supabase, which passes every policy";
  if (secretPrefixes.test(value)) return "a secret key by its beginning";
  return looksSecret("value", value) ? "a private key, or an address with a password" : undefined;
}

/** The Supabase hosts that a text names, each once. */
export function supabaseHostsIn(text: string): string[] {
  return [...new Set(text.match(supabaseHost) ?? [])];
}

function claimsOf(token: string): z.infer<typeof claims> | undefined {
  const payload = /^ey[\w-]+\.(ey[\w-]+)\.[\w-]+$/.exec(token.trim())?.[1];
  if (payload === undefined) return undefined;
  try {
    return claims.safeParse(JSON.parse(Buffer.from(payload, "base64url").toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
