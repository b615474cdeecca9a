import { apiKey } from "./api-key.ts";
import { refuseUnsafeSettings } from "./unsafe-settings.ts";

const now = Date.UTC(2026, 10, 26);
const secret = "a-secret-of-this-test-that-is-long-enough";
const good = {
  JWT_SECRET: secret,
  ANON_KEY: apiKey("anon", secret, now),
  SERVICE_ROLE_KEY: apiKey("service_role", secret, now),
  SUPABASE_PUBLIC_URL: "https://backend.example.com",
  API_EXTERNAL_URL: "https://backend.example.com/auth/v1",
  SITE_URL: "https://shop.example.com",
  ADDITIONAL_REDIRECT_URLS: "https://*.shop.example.com/**, myapp://login",
};

function refused(values: Record<string, string>, domains = ["backend.example.com"]): unknown {
  try {
    refuseUnsafeSettings({ app: "backend", values: { ...good, ...values }, domains }, now);
    return undefined;
  } catch (error) {
    return error;
  }
}

test("a stack of its own keys and addresses may be deployed", () => {
  expect(refused({})).toBeUndefined();
});

test.each([
  ["POSTGRES_PASSWORD", "your-super-secret-and-long-postgres-password", "POSTGRES_PASSWORD is the sample"],
  ["DASHBOARD_PASSWORD", "this_password_is_insecure_and_should_be_updated", "DASHBOARD_PASSWORD is the sample"],
  ["VAULT_ENC_KEY", "your-32-character-encryption-key", "VAULT_ENC_KEY is the sample"],
  ["VAULT_ENC_KEY", "a".repeat(33), "VAULT_ENC_KEY has 33 characters, of 32"],
  ["JWT_SECRET", "too-short", "JWT_SECRET has 9 characters, of at least 32"],
  ["SERVICE_ROLE_KEY", good.ANON_KEY, "SERVICE_ROLE_KEY is a key of the role anon"],
  [
    "SUPABASE_PUBLIC_URL",
    "http://localhost:8000",
    "SUPABASE_PUBLIC_URL is at localhost, and the app's domains are backend",
  ],
  ["API_EXTERNAL_URL", "https://other.example.com", "API_EXTERNAL_URL is at other.example.com"],
  [
    "API_EXTERNAL_URL",
    "backend.example.com",
    "API_EXTERNAL_URL (backend.example.com) is no http:// or https:// address",
  ],
  ["SITE_URL", "http://localhost:3000", "SITE_URL is at localhost: links in mails would lead there"],
  ["ADDITIONAL_REDIRECT_URLS", "https://shop.example.com,**", "ADDITIONAL_REDIRECT_URLS has **, which names no site"],
  ["ADDITIONAL_REDIRECT_URLS", "https://**", "ADDITIONAL_REDIRECT_URLS has https://**, which names no site"],
])("%s=%s is refused", (name, value, problem) => {
  expect(refused({ [name]: value })).toMatchObject({
    code: "SUPABASE_SETTINGS_UNSAFE",
    message: expect.stringContaining(problem) as string,
  });
});

test("all problems are told at once, and no secret of them", () => {
  const error = refused({ JWT_SECRET: "short-and-secret", SITE_URL: "shop" });
  expect(error).toMatchObject({
    details: {
      problems: [
        expect.stringContaining("JWT_SECRET has 16"),
        expect.stringContaining("ANON_KEY is not signed"),
        expect.stringContaining("SERVICE_ROLE_KEY is not signed"),
        expect.stringContaining("SITE_URL (shop)"),
      ],
    },
  });
  expect(String(error)).not.toContain("short-and-secret");
  expect(String(error)).not.toContain(good.ANON_KEY);
});

test("an app for every name may be at any address", () => {
  expect(
    refused({ SUPABASE_PUBLIC_URL: "http://10.0.0.7:8000", SITE_URL: "http://localhost:3000" }, []),
  ).toBeUndefined();
});
