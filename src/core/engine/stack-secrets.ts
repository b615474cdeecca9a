import { askEngine } from "./engine-process.ts";
import type { StackPlace } from "./stack-state.ts";

/**
 * Puts a secret into the stack's file, encrypted by the engine as `pulumi config set --secret` does. The value goes
 * over standard input: an argument would be seen by everybody on this machine.
 *
 * @param path such as `ikoma:secrets.shop.POSTGRES_PASSWORD`
 * @throws PASSPHRASE_MISSING, STACK_NOT_FOUND, ENGINE_MISSING
 */
export async function setStackSecret(place: StackPlace, path: string, value: string): Promise<void> {
  await pulumiConfig(place, ["set", "--secret", "--path", path], value);
}

/** A value of the stack's file, decrypted. */
export async function readStackSecret(place: StackPlace, path: string): Promise<string> {
  return (await pulumiConfig(place, ["get", "--path", path], "")).replace(/\r?\n$/, "");
}

function pulumiConfig(place: StackPlace, args: readonly string[], input: string): Promise<string> {
  const { workDir, stackName, env } = place;
  return askEngine({ args: ["config", ...args, "--stack", stackName, "--non-interactive"], workDir, env, input });
}
