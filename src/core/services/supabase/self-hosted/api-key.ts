import { createHmac, timingSafeEqual } from "node:crypto";
import * as z from "zod";
import { decodedPart, readSupabaseKey, whyUnfit } from "../supabase-key.ts";

/** Whom an API key stands for, as the database's roles are called. */
export type ApiRole = "anon" | "service_role";

const header = z.looseObject({ alg: z.string() });

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
  const [head = "", body = "", signed = ""] = key.split(".");
  const algorithm = header.safeParse(decodedPart(head)).data?.alg;
  const claimed = readSupabaseKey(key);
  if (algorithm === undefined || claimed.role === undefined) return "is no JWT with a role";
  if (claimed.isSample) return "is the sample that everybody knows";
  if (algorithm !== "HS256") return `is signed by ${algorithm}, not by HS256`;
  if (!isSame(Buffer.from(signed, "base64url"), signature(`${head}.${body}`, jwtSecret)))
    return "is not signed with JWT_SECRET";
  if (claimed.role !== role) return `is a key of the role ${claimed.role}, not ${role}`;
  return whyUnfit(key, undefined, nowMs);
}

function signature(text: string, secret: string): Buffer {
  return createHmac("sha256", secret).update(text).digest();
}

function isSame(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other);
}
