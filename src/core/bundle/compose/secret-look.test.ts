import { expect, test } from "@jest/globals";
import { holdsPrivateKey, isEnvironmentFile, looksSecret } from "./secret-look.ts";

test.each([
  ["POSTGRES_PASSWORD", "hunter2"],
  ["DB_PASS", "x"],
  ["STRIPE_SECRET_KEY", "sk_live_1"],
  ["apikey", "1"],
  ["github.token", "ghp_1"],
  ["DATABASE_URL", "postgres://shop:hunter2@db:5432/shop"],
  ["SIGNING", "-----BEGIN EC PRIVATE KEY-----\nMHc"],
])("%s=%s looks like a secret", (name, value) => {
  expect(looksSecret(name, value)).toBe(true);
});

test.each([
  ["POSTGRES_PASSWORD", ""],
  ["TOKEN_LIFETIME", "3600"],
  ["PASSWORD_MIN_LENGTH", "8"],
  ["PUBLIC_KEY", "-----BEGIN PUBLIC KEY-----"],
  ["COMPASS", "north"],
  ["MONKEY", "1"],
  ["DATABASE_URL", "postgres://shop@db:5432/shop"],
  ["DATABASE_URL", "postgres://shop:${PASSWORD}@db:5432/shop"],
  ["URL", "https://example.com:8443/a@b"],
])("%s=%s does not", (name, value) => {
  expect(looksSecret(name, value)).toBe(false);
});

test("files of variables are told by their names, but not those to copy", () => {
  expect([".env", "/srv/app/.env.local", ".env.production"].every(isEnvironmentFile)).toBe(true);
  expect([".env.example", ".env.local.sample", "app.env", ".envrc", "env"].some(isEnvironmentFile)).toBe(false);
});

test("a private key is told by its first line", () => {
  expect(holdsPrivateKey("a\n-----BEGIN OPENSSH PRIVATE KEY-----\n")).toBe(true);
  expect(holdsPrivateKey("-----BEGIN CERTIFICATE-----")).toBe(false);
});
