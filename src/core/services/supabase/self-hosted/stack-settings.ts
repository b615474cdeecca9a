import { looksSecret } from "../../../bundle/compose/secret-look.ts";
import { stackSecretNames } from "./stack-secrets.ts";

/** What is said of a stack's settings by a file of variables, and what has to be found out. */
export interface SettingsWanted {
  readonly app: string;
  /** Variables that the stack asks for, and for which it has no default. */
  readonly variables: readonly string[];
  /** Those that have a value already, as a setting or a secret. */
  readonly known: readonly string[];
  /** Values of the official `.env.example`, or of a `.env`. */
  readonly file: Readonly<Record<string, string | undefined>>;
  readonly domains: readonly string[];
}

/** What of a file of variables is never taken over: it is secret, or nobody else's value is right. */
const ownValue =
  /^(SMTP_|SITE_URL$|SUPABASE_PUBLIC_URL$|API_EXTERNAL_URL$|PROXY_DOMAIN$|JWT_KEYS$)|(_PASS|_PASSWORD|_SECRET|_KEY|_TOKEN)$/;
/** Asked for by the stack, and of no use until somebody wants what they are for. */
const emptyByDefault = [
  "OPENAI_API_KEY",
  "ADDITIONAL_REDIRECT_URLS",
  "SUPABASE_PUBLISHABLE_KEY",
  "SUPABASE_SECRET_KEY",
];

/**
 * Settings of a stack that are no secrets and not said yet: its own address from the app's domain, the rest as the file
 * has it. What nobody can know stays out: where people log in, how mails are sent.
 */
export function settingsFrom({ app, variables, known, file, domains }: SettingsWanted): Map<string, string> {
  const address = domains[0] === undefined ? undefined : `https://${domains[0]}`;
  const found = new Map<string, string>();
  for (const name of variables.filter((each) => !known.includes(each) && !stackSecretNames.includes(each))) {
    const value = ownSetting(name, app, address, file) ?? othersSetting(name, file[name]);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

function othersSetting(name: string, value: string | undefined): string | undefined {
  return ownValue.test(name) || looksSecret(name, value ?? "") ? undefined : value;
}

function ownSetting(
  name: string,
  app: string,
  address: string | undefined,
  file: SettingsWanted["file"],
): string | undefined {
  switch (name) {
    case "SUPABASE_PUBLIC_URL":
      return address;
    // Since 2026 with the path of Auth, before without: as the file has it.
    case "API_EXTERNAL_URL":
      return address === undefined
        ? undefined
        : `${address}${URL.parse(file[name] ?? "")?.pathname.replace(/\/$/, "") ?? ""}`;
    case "POOLER_TENANT_ID":
      return app;
    default:
      return emptyByDefault.includes(name) ? "" : undefined;
  }
}
