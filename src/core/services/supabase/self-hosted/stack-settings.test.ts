import { settingsFrom } from "./stack-settings.ts";

const file = {
  POSTGRES_PASSWORD: "your-super-secret-and-long-postgres-password",
  POSTGRES_PORT: "5432",
  SUPABASE_PUBLIC_URL: "http://localhost:8000",
  API_EXTERNAL_URL: "http://localhost:8000/auth/v1",
  SITE_URL: "http://localhost:3000",
  SMTP_HOST: "supabase-mail",
  OPENAI_API_KEY: "sk-proj-xxxxxxxx",
  POOLER_TENANT_ID: "your-tenant-id",
  GOOGLE_SECRET: "secret",
};
const wanted = { app: "backend", variables: Object.keys(file), known: [], file, domains: ["backend.example.com"] };

test("the stack's own address is the app's, and settings are as the file has them", () => {
  expect(Object.fromEntries(settingsFrom(wanted))).toEqual({
    POSTGRES_PORT: "5432",
    SUPABASE_PUBLIC_URL: "https://backend.example.com",
    API_EXTERNAL_URL: "https://backend.example.com/auth/v1",
    OPENAI_API_KEY: "",
    POOLER_TENANT_ID: "backend",
  });
});

test("older files have no path in the address of Auth", () => {
  const older = { ...wanted, file: { API_EXTERNAL_URL: "http://localhost:8000" } };
  expect(settingsFrom(older).get("API_EXTERNAL_URL")).toBe("https://backend.example.com");
});

test("what looks like a secret, by its name or its value, stays out", () => {
  const secrets = {
    DATABASE_URL: "postgres://u:pw@h/db",
    JWT_KEYS: '[{"kty":"oct","k":"abc"}]',
    BACKUP_PASSPHRASE: "correct horse",
    SECRET: "abc",
    TOKEN: "abc",
  };
  expect([...settingsFrom({ ...wanted, variables: Object.keys(secrets), file: secrets })]).toEqual([]);
});

test("what the file does not have is no setting", () => {
  expect(settingsFrom({ ...wanted, variables: ["POSTGRES_DB"] }).size).toBe(0);
});

test("what is set already, or not asked for, is left alone", () => {
  expect(settingsFrom({ ...wanted, variables: ["POSTGRES_PORT"], known: ["POSTGRES_PORT"] }).size).toBe(0);
});

test("of an app without a domain nobody knows the address", () => {
  expect(settingsFrom({ ...wanted, domains: [] }).has("SUPABASE_PUBLIC_URL")).toBe(false);
});
