import { IkomaError } from "../../../errors.ts";
import { isLoopback } from "../../../link/loopback.ts";
import { apiKeyProblem } from "./api-key.ts";

/** The values that the variables of a self-hosted stack would get, and what they have to agree with. */
export interface StackSettings {
  readonly app: string;
  /** Settings and secrets by name. */
  readonly values: Readonly<Record<string, string>>;
  readonly domains: readonly string[];
}

/** Of `.env.example`, in its releases since 2023, and of the local stack of Supabase's CLI. Everybody knows them. */
const samples: Readonly<Record<string, readonly string[]>> = {
  POSTGRES_PASSWORD: ["your-super-secret-and-long-postgres-password", "postgres"],
  JWT_SECRET: [
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "super-secret-jwt-token-with-at-least-32-characters-long",
  ],
  DASHBOARD_PASSWORD: ["this_password_is_insecure_and_should_be_updated", "supabase"],
  SECRET_KEY_BASE: ["UpNVntn3cDxHJpq99YMc1T1AQgQpc8kfYTuRgBiYa15BLrx8etQoXz3gZv1/u2oq"],
  VAULT_ENC_KEY: ["your-encryption-key-32-chars-min", "your-32-character-encryption-key"],
  PG_META_CRYPTO_KEY: ["your-encryption-key-32-chars-min"],
  LOGFLARE_PUBLIC_ACCESS_TOKEN: ["your-super-secret-and-long-logflare-key-public"],
  LOGFLARE_PRIVATE_ACCESS_TOKEN: ["your-super-secret-and-long-logflare-key-private"],
  S3_PROTOCOL_ACCESS_KEY_ID: ["625729a08b95bf1b7ff351a663f3a23c"],
  S3_PROTOCOL_ACCESS_KEY_SECRET: ["850181e4652dd023b7a98c58ae0d2d34bd487ee0cc3254aed6eda37307425907"],
  SMTP_PASS: ["fake_mail_password"],
  MINIO_ROOT_PASSWORD: ["secret1234"],
};

/** How long a secret has to be, in characters. */
const lengths: Readonly<Record<string, { least: number; most?: number }>> = {
  JWT_SECRET: { least: 32 },
  SECRET_KEY_BASE: { least: 64 },
  VAULT_ENC_KEY: { least: 32, most: 32 },
  PG_META_CRYPTO_KEY: { least: 32 },
};

/**
 * Refuses to bring a self-hosted stack up with what everybody knows, with keys that do not fit together, or for another
 * address than its own. All problems at once, by the names of the variables; no value is told but of addresses.
 *
 * @throws SUPABASE_SETTINGS_UNSAFE
 */
export function refuseUnsafeSettings(settings: StackSettings, nowMs: number): void {
  const problems = [...secretProblems(settings), ...keyProblems(settings, nowMs), ...addressProblems(settings)];
  if (problems.length === 0) return;
  throw new IkomaError(
    "SUPABASE_SETTINGS_UNSAFE",
    `${settings.app} is not deployed like this: ${problems.join("; ")}.`,
    {
      details: { problems },
    },
  );
}

function secretProblems({ values }: StackSettings): string[] {
  return Object.entries(values).flatMap(([name, value]) => {
    if (samples[name]?.includes(value) === true) return [`${name} is the sample that everybody knows`];
    const { least, most } = lengths[name] ?? { least: 0 };
    if (value.length < least || value.length > (most ?? Infinity)) {
      return [`${name} has ${value.length} characters, of ${most === undefined ? "at least " : ""}${least}`];
    }
    return [];
  });
}

function keyProblems({ values }: StackSettings, nowMs: number): string[] {
  const { JWT_SECRET: secret, ANON_KEY: anon, SERVICE_ROLE_KEY: service } = values;
  if (secret === undefined) return [];
  const anonProblem = anon === undefined ? undefined : apiKeyProblem(anon, "anon", secret, nowMs);
  const serviceProblem = service === undefined ? undefined : apiKeyProblem(service, "service_role", secret, nowMs);
  return [
    ...(anonProblem === undefined ? [] : [`ANON_KEY ${anonProblem}`]),
    ...(serviceProblem === undefined ? [] : [`SERVICE_ROLE_KEY ${serviceProblem}`]),
  ];
}

function addressProblems({ values, domains }: StackSettings): string[] {
  return [
    ...["SUPABASE_PUBLIC_URL", "API_EXTERNAL_URL"].flatMap((name) => ownAddressProblem(name, values[name], domains)),
    ...siteProblem(values["SITE_URL"], domains),
    ...redirectProblems(values["ADDITIONAL_REDIRECT_URLS"]),
  ];
}

/** Where the stack itself is found. */
function ownAddressProblem(name: string, value: string | undefined, domains: readonly string[]): string[] {
  if (value === undefined) return [];
  const host = webHost(value);
  if (host === undefined) return [`${name} (${value}) is no http:// or https:// address`];
  if (domains.length === 0 || domains.includes(host)) return [];
  return [`${name} is at ${host}, and the app's domains are ${domains.join(", ")}`];
}

/** The app that people log in to may be anywhere but on the machine of the one who reads the mail. */
function siteProblem(value: string | undefined, domains: readonly string[]): string[] {
  if (value === undefined) return [];
  const host = webHost(value);
  if (host === undefined) return [`SITE_URL (${value}) is no http:// or https:// address`];
  if (domains.length === 0 || !isLoopback(host)) return [];
  return [`SITE_URL is at ${host}: links in mails would lead there, and not to your app`];
}

/** Auth sends the session of whoever logs in to any of them. */
function redirectProblems(value = ""): string[] {
  return value
    .split(",")
    .map((each) => each.trim())
    .filter((each) => each !== "" && !namesSite(each))
    .map((each) => `ADDITIONAL_REDIRECT_URLS has ${each}, which names no site`);
}

/** `https://*.shop.example` does, `https://**` does not. */
function namesSite(pattern: string): boolean {
  const host = /^[a-z][a-z0-9+.-]*:\/\/([^/]*)/i.exec(pattern)?.[1] ?? "";
  return /[a-z0-9]/i.test(host);
}

function webHost(value: string): string | undefined {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) ? url.hostname : undefined;
}
