import ssh2 from "ssh2";
import type { ParsedKey } from "ssh2";
import type { HostConfig } from "../config/schema.ts";
import { collectAuth } from "./ssh-auth.ts";

/**
 * The private key that Pulumi's plugin `command` is to be given to log in to a host, as text; undefined where the SSH
 * agent, which the plugin finds by itself, does instead: what the plugin is given is kept (encrypted) in the state.
 * It takes one key, so of the usual files the first.
 *
 * @throws HOST_AUTH when there is nothing to log in with
 */
export async function keyForPlugin(
  host: HostConfig,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string | undefined> {
  const { methods } = await collectAuth(host, env);
  const file = methods.find((method) => method.type === "publickey");
  if (file === undefined || !Buffer.isBuffer(file.key)) return undefined;
  const text = file.key.toString();
  const held = await keysOfAgent(env.SSH_AUTH_SOCK);
  const isHeld = host.identityFile === undefined ? held.length > 0 : held.some((key) => isSameKey(key, text));
  return isHeld ? undefined : text;
}

/** Public keys that the SSH agent holds; none where it does not answer. */
function keysOfAgent(socketPath: string | undefined): Promise<ParsedKey[]> {
  if (socketPath === undefined || socketPath === "") return Promise.resolve([]);
  return new Promise((resolve) => {
    ssh2.createAgent(socketPath).getIdentities((_error, keys) => {
      resolve((keys ?? []).filter((key) => typeof key === "object" && "getPublicSSH" in key));
    });
  });
}

function isSameKey(held: ParsedKey, text: string): boolean {
  const key = ssh2.utils.parseKey(text);
  return !(key instanceof Error) && key.getPublicSSH().equals(held.getPublicSSH());
}
