import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { IkomaError } from "../errors.ts";
import type { ApprovalPolicy } from "./policy-config.ts";
import { agentKeys, isSignedBy, signWithSshKey, withPublicKeyFile } from "./ssh-signature.ts";

/** Somebody who may approve, and has the key at hand. */
export interface Signer {
  readonly approver: string;
  /** @throws HOST_AUTH where the key is not that person's after all, or cannot be used */
  readonly sign: (text: string) => Promise<string>;
}

/**
 * The approver whose key is here: of the named file, or of `~/.ssh`, or of the SSH agent.
 *
 * @throws HOST_AUTH where none is an approver's
 */
export async function findSigner(policy: ApprovalPolicy, identity: string | undefined): Promise<Signer> {
  const candidates =
    identity === undefined ? [...(await usualKeys()), ...(await keysOfAgent())] : [await named(identity)];
  for (const { publicKey, sign } of candidates) {
    const approver = Object.entries(policy.approvers).find(([, key]) => sameKey(key, publicKey))?.[0];
    if (approver !== undefined) return { approver, sign: checkedBy(publicKey, sign) };
  }
  const where = identity ?? "of ~/.ssh and the SSH agent";
  throw new IkomaError("HOST_AUTH", `No approver of the stack has the key ${where}.`, {
    hint: `The policy names ${Object.keys(policy.approvers).join(", ")}. Use that person's key: --identity FILE.`,
  });
}

interface Candidate {
  readonly publicKey: string;
  readonly sign: (text: string) => Promise<string>;
}

function checkedBy(publicKey: string, sign: Signer["sign"]): Signer["sign"] {
  return async (text) => {
    const signature = await sign(text);
    if (await isSignedBy(publicKey, text, signature)) return signature;
    throw new IkomaError("HOST_AUTH", "The key and the public key beside it are not a pair.");
  };
}

async function named(file: string): Promise<Candidate> {
  const path = file.replace(/^~(?=\/)/, homedir());
  const publicFile = path.endsWith(".pub") ? path : `${path}.pub`;
  const text = await readFile(publicFile, "utf8").catch((cause: unknown) => {
    throw new IkomaError("HOST_AUTH", `The public key ${publicFile} cannot be read.`, {
      hint: `It says whose key it is; make it with \`ssh-keygen -y -f ${path} > ${publicFile}\`.`,
      cause,
    });
  });
  return { publicKey: text.trim(), sign: (content) => signWithSshKey(content, path) };
}

async function usualKeys(): Promise<Candidate[]> {
  const folder = join(homedir(), ".ssh");
  const names: string[] = await readdir(folder).catch(() => []);
  const own = names.filter((name) => name.endsWith(".pub") && names.includes(name.slice(0, -".pub".length)));
  return Promise.all(own.sort().map((name) => named(join(folder, name.slice(0, -".pub".length)))));
}

async function keysOfAgent(): Promise<Candidate[]> {
  return (await agentKeys()).map((publicKey) => ({
    publicKey,
    sign: (content) => withPublicKeyFile(publicKey, (path) => signWithSshKey(content, path)),
  }));
}

/** Type and key; a comment behind them does not count. */
function sameKey(one: string, other: string): boolean {
  const words = (key: string): string => key.trim().split(/\s+/).slice(0, 2).join(" ");
  return words(one) === words(other);
}
