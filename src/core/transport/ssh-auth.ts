import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import type { AgentAuthMethod, PublicKeyAuthMethod } from "ssh2";
import type { HostConfig } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";

/** How to prove who we are, in the order it is tried. */
export interface SshAuth {
  readonly methods: (AgentAuthMethod | PublicKeyAuthMethod)[];
  /** The same for people: `the SSH agent, ~/.ssh/id_ed25519`. */
  readonly tried: readonly string[];
  /** Keys that were left out, with the reason. */
  readonly skipped: readonly string[];
}

/** Usual files, in OpenSSH's order of preference. */
const usualKeys = ["id_ed25519", "id_ecdsa", "id_rsa"];

/**
 * Collects what a host may be logged in to with: its `identityFile`, or else the SSH agent and the usual files of
 * `~/.ssh`. A key with a passphrase is used through the agent only; nothing here asks for one.
 *
 * @throws HOST_AUTH when there is nothing to try
 */
export async function collectAuth(host: HostConfig, env: NodeJS.ProcessEnv = process.env): Promise<SshAuth> {
  const agentSocket = env.SSH_AUTH_SOCK;
  const methods: (AgentAuthMethod | PublicKeyAuthMethod)[] = [];
  const tried: string[] = [];
  const skipped: string[] = [];
  for (const path of keyFiles(host, env)) {
    const key = await readKey(path, host.identityFile !== undefined);
    if (key === undefined) continue;
    if (typeof key === "string") {
      skipped.push(`${path}: ${key}`);
      continue;
    }
    methods.push({ type: "publickey", username: host.user, key: key.text });
    tried.push(path);
  }
  const usesAgent = host.identityFile === undefined || methods.length === 0;
  if (usesAgent && agentSocket !== undefined && agentSocket !== "") {
    methods.unshift({ type: "agent", username: host.user, agent: agentSocket });
    tried.unshift("the SSH agent");
  }
  if (methods.length > 0) return { methods, tried, skipped };
  throw noKeyError(host, skipped);
}

function keyFiles(host: HostConfig, env: NodeJS.ProcessEnv): string[] {
  const home = env.HOME ?? homedir();
  if (host.identityFile !== undefined) return [host.identityFile.replace(/^~(?=\/)/, home)];
  return usualKeys.map((name) => join(home, ".ssh", name));
}

/** The key's text; why it cannot be used; or undefined where there is no such file (an error if it was `named`). */
async function readKey(path: string, named: boolean): Promise<{ text: Buffer } | string | undefined> {
  let text: Buffer;
  try {
    text = await readFile(path);
  } catch (cause) {
    if (!named) return undefined;
    throw new IkomaError("HOST_AUTH", `The identity file ${path} cannot be read.`, { cause });
  }
  const parsed = ssh2.utils.parseKey(text);
  if (!(parsed instanceof Error)) return parsed.isPrivateKey() ? { text } : "is a public key";
  return /encrypted/i.test(parsed.message) ? "has a passphrase and is used through the SSH agent only" : parsed.message;
}

function noKeyError(host: HostConfig, skipped: readonly string[]): IkomaError {
  const why = skipped.length === 0 ? "there is no key in ~/.ssh and no SSH agent" : skipped.join("; ");
  const hint = skipped.some((each) => each.includes("passphrase"))
    ? "Add the key to the SSH agent (`ssh-add`) and run again."
    : "Make a key with `ssh-keygen`, put it on the host with `ssh-copy-id`, or name one with identityFile.";
  return new IkomaError("HOST_AUTH", `No SSH key to log in to ${host.user}@${host.address} with: ${why}.`, { hint });
}
