/** Variables that hold a secret of this program itself: it dials hosts, reads the store and signs by itself. */
const ownSecrets: readonly string[] = [
  "IKOMA_API_TOKEN",
  "IKOMA_API_ADMIN_TOKEN",
  "IKOMA_STORE_URL",
  "IKOMA_STORE_IDENTITY",
  "IKOMA_SIGN_KEY",
  "IKOMA_SIGN_PASSPHRASE",
];

/**
 * The environment for a program that is started: none needs what is secret here, and the engine would hand it on to
 * every plugin.
 */
export function withoutOwnSecrets(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ownSecrets.includes(name)));
}
