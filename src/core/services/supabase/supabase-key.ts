import * as z from "zod";

/** What can be told of an API key of Supabase by its text alone. */
export interface SupabaseKey {
  /** `public` keys reach what row level security lets everybody reach; `secret` ones reach everything. */
  readonly kind: "public" | "secret" | "unknown";
  /** The database's role that a token stands for. */
  readonly role?: string | undefined;
  /** A signed token of the older kind (`eyJ…`), which has to be sent as such too. */
  readonly isToken: boolean;
  /** The project that a token is for; self-hosted ones name none. */
  readonly ref?: string | undefined;
  /** End of a token's life, as Unix time in seconds. */
  readonly expiresAt?: number | undefined;
  /** A key of Supabase's own samples: everybody knows what it was signed with. */
  readonly isSample: boolean;
}

const claims = z.looseObject({
  iss: z.string().optional(),
  ref: z.string().optional(),
  role: z.string().optional(),
  exp: z.number().optional(),
});

const kindsOfRoles: ReadonlyMap<string | undefined, SupabaseKey["kind"]> = new Map([
  ["anon", "public"],
  ["service_role", "secret"],
]);

/** Reads a key without verifying it: `sb_publishable_…`, `sb_secret_…`, or a token with the role `anon` or `service_role`. */
export function readSupabaseKey(text: string): SupabaseKey {
  const plain = { isToken: false, isSample: false };
  if (text.startsWith("sb_publishable_")) return { ...plain, kind: "public" };
  if (text.startsWith("sb_secret_")) return { ...plain, kind: "secret" };
  const said = claimsOf(text);
  if (said === undefined) return { ...plain, kind: "unknown" };
  const { iss, ref, role, exp } = said;
  return {
    kind: kindsOfRoles.get(role) ?? "unknown",
    isToken: true,
    role,
    ref,
    expiresAt: exp,
    isSample: iss === "supabase-demo",
  };
}

function claimsOf(token: string): z.infer<typeof claims> | undefined {
  const [, payload, signature, ...more] = token.split(".");
  if (payload === undefined || signature === undefined || more.length > 0) return undefined;
  return claims.safeParse(decodedPart(payload)).data;
}

/** One part of a token; undefined where it holds no JSON. */
export function decodedPart(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Why a key must not be shipped to browsers; undefined for one that may be. */
export function whyNotPublic(text: string): string | undefined {
  const { kind, isSample } = readSupabaseKey(text);
  if (kind === "secret")
    return "this is a secret key (service_role or sb_secret_), which would be shipped to browsers and opens the whole database; give the publishable (anon) one, and replace this one, for it was written down";
  if (isSample) return "this is the key of Supabase's samples, which everybody knows; make keys of your own";
  return kind === "public" ? undefined : "a publishable key (sb_publishable_…) or an anon key (eyJ…)";
}

/**
 * Why a key is of no use for a project: it is for another one, or its life is over.
 *
 * @param ref of the project, where it is known
 * @param nowMs Unix time in milliseconds
 */
export function whyUnfit(text: string, ref: string | undefined, nowMs: number): string | undefined {
  const key = readSupabaseKey(text);
  if (key.ref !== undefined && ref !== undefined && key.ref !== ref)
    return `is for the project ${key.ref}, not for ${ref}`;
  if (key.expiresAt !== undefined && key.expiresAt * 1000 <= nowMs)
    return `ended on ${new Date(key.expiresAt * 1000).toISOString().slice(0, 10)}`;
  return undefined;
}

/** How a key is sent. Keys of the newer kind are no tokens, and refused as `Authorization`. */
export function keyHeaders(text: string): Record<string, string> {
  return { apikey: text, ...(readSupabaseKey(text).isToken && { authorization: `Bearer ${text}` }) };
}
