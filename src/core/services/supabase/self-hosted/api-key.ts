import { createHmac, timingSafeEqual } from "node:crypto";
import * as z from "zod";

/** Whom an API key stands for, as the database's roles are called. */
export type ApiRole = "anon" | "service_role";

const header = z.looseObject({ alg: z.string() });
const claims = z.looseObject({ role: z.string(), iss: z.string().optional(), exp: z.number().optional() });

/** As Supabase's own generator has it, in seconds: five years. */
const lifetimeSeconds = 5 * 365 * 24 * 3600;

/** An API key of the stack: a JWT that is signed with its `JWT_SECRET` (HS256), good for five years. */
export function apiKey(role: ApiRole, jwtSecret: string, nowMs: number): string {
  const iat = Math.floor(nowMs / 1000);
  const parts = [
    { alg: "HS256", typ: "JWT" },
    { role, iss: "supabase", iat, exp: iat + lifetimeSeconds },
  ];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${signed}.${signature(signed, jwtSecret).toString("base64url")}`;
}

/** What is wrong with an API key, for people, without a word of its value; undefined where nothing is. */
export function apiKeyProblem(key: string, role: ApiRole, jwtSecret: string, nowMs: number): string | undefined {
  const [head = "", body = "", signed = "", ...more] = key.split(".");
  const algorithm = header.safeParse(decoded(head)).data?.alg;
  const claimed = claims.safeParse(decoded(body)).data;
  if (algorithm === undefined || claimed === undefined || more.length > 0) return "is no JWT with a role";
  if (claimed.iss === "supabase-demo") return "is the sample that everybody knows";
  if (algorithm !== "HS256") return `is signed by ${algorithm}, not by HS256`;
  if (!isSame(Buffer.from(signed, "base64url"), signature(`${head}.${body}`, jwtSecret)))
    return "is not signed with JWT_SECRET";
  if (claimed.role !== role) return `is a key of the role ${claimed.role}, not ${role}`;
  if (claimed.exp !== undefined && claimed.exp * 1000 <= nowMs)
    return `expired on ${new Date(claimed.exp * 1000).toISOString().slice(0, 10)}`;
  return undefined;
}

function signature(text: string, secret: string): Buffer {
  return createHmac("sha256", secret).update(text).digest();
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}

function decoded(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
