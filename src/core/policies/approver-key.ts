import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { IkomaError } from "../errors.ts";
import type { ApprovalPolicy } from "./policy-config.ts";
import { agentKeys, isSignedBy, signWithSshKey, withPublicKeyFile, type SignaturePurpose } from "./ssh-signature.ts";

/** Somebody whose public key is listed, and who has the key at hand. */
export interface KeyHolder {
  /** As listed. */
  readonly name: string;
  readonly publicKey: string;
  /** @throws HOST_AUTH where the key is not that person's after all, or cannot be used */
  readonly sign: (text: string) => Promise<string>;
}

/** Who is looked for, and what they sign. */
export interface KeySearch {
  /** Public keys by name. */
  readonly people: Readonly<Record<string, string>>;
  readonly purpose: SignaturePurpose;
  /** What they are: `approver of the stack`. */
  readonly role: string;
  /** Where they are listed, and the option that names a key: for the error. */
  readonly hint: string;
}

/** Somebody who may approve, and has the key at hand. */
export type Signer = Pick<KeyHolder, "sign"> & { readonly approver: string };

/**
 * The approver whose key is here: of the named file, or of `~/.ssh`, or of the SSH agent.
 *
 * @throws HOST_AUTH where none is an approver's
 */
export async function findSigner({ approvers }: ApprovalPolicy, identity: string | undefined): Promise<Signer> {
  const hint = `The policy names ${Object.keys(approvers).join(", ")}. Use that person's key: --identity FILE.`;
  const search = { people: approvers, purpose: "ikoma-approval", role: "approver of the stack", hint } as const;
  const { name: approver, sign } = await findKeyHolder(search, identity);
  return { approver, sign };
}

/**
 * The first of some people whose key is here: of the named file, or of `~/.ssh`, or of the SSH agent.
 *
 * @throws HOST_AUTH where none is listed
 */
export async function findKeyHolder(
  { people, purpose, role, hint }: KeySearch,
  identity: string | undefined,
): Promise<KeyHolder> {
  const candidates =
    identity === undefined ? [...(await usualKeys()), ...(await keysOfAgent())] : [await named(identity)];
  for (const { publicKey, sign } of candidates) {
    const name = Object.entries(people).find(([, key]) => sameKey(key, publicKey))?.[0];
    if (name !== undefined) return { name, publicKey, sign: checkedBy(publicKey, purpose, sign) };
  }
  const where = identity ?? "of ~/.ssh and the SSH agent";
  throw new IkomaError("HOST_AUTH", `No ${role} has the key ${where}.`, { hint });
}

interface Candidate {
  readonly publicKey: string;
  readonly sign: (text: string, purpose: SignaturePurpose) => Promise<string>;
}

function checkedBy(publicKey: string, purpose: SignaturePurpose, sign: Candidate["sign"]): KeyHolder["sign"] {
  return async (text) => {
    const signature = await sign(text, purpose);
    if (await isSignedBy(publicKey, text, signature, purpose)) return signature;
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
  return { publicKey: text.trim(), sign: (content, purpose) => signWithSshKey(content, path, purpose) };
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
    sign: (content, purpose) => withPublicKeyFile(publicKey, (path) => signWithSshKey(content, path, purpose)),
  }));
}

/** Type and key; a comment behind them does not count. */
export function sameKey(one: string, other: string): boolean {
  const words = (key: string): string => key.trim().split(/\s+/).slice(0, 2).join(" ");
  return words(one) === words(other);
}
