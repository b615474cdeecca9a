import { identityVariables } from "./identity.ts";
import { storeVariables } from "./store-address.ts";

/**
 * The environment for a program that is started, without the two variables that hold the store's login and an identity
 * themselves: no program needs them to make a signature or to print a value, and each would hand them on.
 */
export function childEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const withheld: readonly string[] = [identityVariables.text, storeVariables.url];
  return Object.fromEntries(Object.entries(env).filter(([name]) => !withheld.includes(name)));
}
