import { spawn } from "node:child_process";
import { engineFailure } from "./engine-errors.ts";
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

function pulumiConfig(
  { workDir, stackName, env }: StackPlace,
  args: readonly string[],
  input: string,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn("pulumi", ["config", ...args, "--stack", stackName, "--non-interactive"], {
      cwd: workDir,
      env: { ...process.env, PULUMI_SKIP_UPDATE_CHECK: "true", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const texts = { output: "", errors: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (texts.output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (texts.errors += text));
    child.once("error", (cause) => {
      reject(engineFailure([cause.message], cause));
    });
    child.once("close", (code) => {
      if (code === 0) resolve(texts.output);
      else reject(engineFailure([texts.errors]));
    });
    // It may end without reading, where it has something to say against it.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
  });
}
