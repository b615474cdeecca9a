import { basename } from "node:path";

/** `POSTGRES_PASSWORD`, `STRIPE_SECRET_KEY`, `token`; but not `TOKEN_LIFETIME` or `PUBLIC_KEY`. */
const secretName =
  /(^|[_.-])(PASS|PASSWD|PASSWORD|PASSPHRASE|PWD|SECRET|TOKEN|CREDENTIALS?|(API|ACCESS|SECRET|PRIVATE|ENCRYPTION|SIGNING|AUTH|SERVICE|MASTER)[_.-]?KEY)$/i;

/** What is for people to copy, and holds no values of theirs. */
const template = /\.(example|sample|template|dist|defaults?)$/i;

/** Whether a variable is one that nobody wants in a registry, as far as its name and value tell. */
export function looksSecret(name: string, value: string): boolean {
  if (value === "") return false;
  return secretName.test(name) || hasPassword(value) || holdsPrivateKey(value);
}

/** Whether a text has a private key in it (PEM, OpenSSH). */
export function holdsPrivateKey(text: string): boolean {
  return /-----BEGIN ([A-Z0-9]+ )*PRIVATE KEY-----/.test(text);
}

/** `.env`, `.env.local`…: where people keep the secrets of their machine; not `.env.example`. */
export function isEnvironmentFile(path: string): boolean {
  const name = basename(path);
  return /^\.env(\.|$)/.test(name) && !template.test(name);
}

/** `postgres://shop:hunter2@db/shop`; with a variable in place of the password it holds none. */
function hasPassword(value: string): boolean {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^/@\s]*:([^/@\s]+)@/i.exec(value)?.[1];
  return password !== undefined && !password.startsWith("$");
}
