import { randomBytes } from "node:crypto";
import { apiKey } from "./api-key.ts";

/** How a secret is made that nothing else depends on. Passwords stand in URLs, so they have letters and digits only. */
const generators: Readonly<Record<string, () => string>> = {
  POSTGRES_PASSWORD: () => hex(16),
  JWT_SECRET: () => randomBytes(40).toString("base64url"),
  DASHBOARD_PASSWORD: () => `d${hex(16)}`,
  SECRET_KEY_BASE: () => randomBytes(48).toString("base64"),
  // Just 32 characters: the key of AES-256.
  VAULT_ENC_KEY: () => hex(16),
  PG_META_CRYPTO_KEY: () => hex(16),
  LOGFLARE_PUBLIC_ACCESS_TOKEN: () => hex(24),
  LOGFLARE_PRIVATE_ACCESS_TOKEN: () => hex(24),
  S3_PROTOCOL_ACCESS_KEY_ID: () => hex(16),
  S3_PROTOCOL_ACCESS_KEY_SECRET: () => hex(32),
  MINIO_ROOT_PASSWORD: () => hex(16),
};

/** The API keys, which `JWT_SECRET` signs. */
export const keyNames: readonly string[] = ["ANON_KEY", "SERVICE_ROLE_KEY"];
/** Names of all secrets of the stack that can be made. */
export const stackSecretNames: readonly string[] = [...Object.keys(generators), ...keyNames];

/** What is there already, and what for. */
export interface SecretsWanted {
  /** Variables that the stack asks for. */
  readonly variables: readonly string[];
  /** Names of those that have a value, which stays. */
  readonly known: readonly string[];
  /** The one that signs, where it is there already. */
  readonly jwtSecret: string | undefined;
}

/** Values for the secrets that the stack asks for and that are not there; the API keys go with the secret that signs. */
export function makeSecrets({ variables, known, jwtSecret }: SecretsWanted, nowMs: number): Map<string, string> {
  const missing = stackSecretNames.filter((name) => variables.includes(name) && !known.includes(name));
  const made = new Map<string, string>();
  for (const name of missing) {
    const generate = generators[name];
    if (generate !== undefined) made.set(name, generate());
  }
  const signs = jwtSecret ?? made.get("JWT_SECRET");
  if (signs === undefined) return made;
  if (missing.includes("ANON_KEY")) made.set("ANON_KEY", apiKey("anon", signs, nowMs));
  if (missing.includes("SERVICE_ROLE_KEY")) made.set("SERVICE_ROLE_KEY", apiKey("service_role", signs, nowMs));
  return made;
}

function hex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
