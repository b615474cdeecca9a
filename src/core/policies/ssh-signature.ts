import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { IkomaError } from "../errors.ts";
import { withoutOwnSecrets } from "../own-secrets.ts";
import { errorCode } from "../system-error.ts";

/** Keeps a signature made for one purpose from counting for another: a namespace of OpenSSH's PROTOCOL.sshsig. */
export type SignaturePurpose = "ikoma-approval" | "ikoma-secret";

/**
 * Signs a text with an SSH key, as `ssh-keygen -Y sign` does: a private key file (asked for its passphrase on the
 * terminal), or a public one whose private key the SSH agent has, a hardware key among them.
 *
 * @param keyFile path of the key
 * @returns the signature in OpenSSH's armour
 * @throws HOST_AUTH where the key cannot be used, CONFIG_MISSING without ssh-keygen
 */
export async function signWithSshKey(content: string, keyFile: string, purpose: SignaturePurpose): Promise<string> {
  const args = ["-q", "-Y", "sign", "-n", purpose, "-f", keyFile];
  const { code, stdout, stderr } = await sshKeygen(args, content);
  if (code === 0) return stdout;
  throw new IkomaError("HOST_AUTH", `The key ${keyFile} did not sign: ${stderr.trim()}`, {
    hint: "Name another key, or add this one to the SSH agent (`ssh-add`).",
  });
}

/**
 * Whether this key signed exactly this text, for this purpose.
 *
 * @param publicKey as in a .pub file: `ssh-ed25519 AAAA…`
 */
export async function isSignedBy(
  publicKey: string,
  content: string,
  signature: string,
  purpose: SignaturePurpose,
): Promise<boolean> {
  return inFolder(async (folder) => {
    const [allowed, signatureFile] = [join(folder, "allowed"), join(folder, "signature")];
    await Promise.all([
      writeFile(allowed, `signer namespaces="${purpose}" ${publicKey}\n`),
      writeFile(signatureFile, signature),
    ]);
    const args = ["-Y", "verify", "-f", allowed, "-I", "signer", "-n", purpose, "-s", signatureFile];
    return (await sshKeygen(args, content)).code === 0;
  });
}

/** The public keys that the SSH agent has, as `type base64`; none without an agent. */
export async function agentKeys(): Promise<string[]> {
  const listed = await promisify(execFile)("ssh-add", ["-L"], { env: withoutOwnSecrets() }).catch(() => ({
    stdout: "",
  }));
  return listed.stdout.split("\n").flatMap((line) => /^(\S+ [A-Za-z0-9+/=]+)/.exec(line)?.[1] ?? []);
}

/** Lends a file that holds this public key, by which the SSH agent's private key is used. */
export function withPublicKeyFile<T>(publicKey: string, use: (path: string) => Promise<T>): Promise<T> {
  return inFolder(async (folder) => {
    const path = join(folder, "key.pub");
    await writeFile(path, `${publicKey}\n`);
    return use(path);
  });
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-ssh-signature-"));
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function sshKeygen(
  args: readonly string[],
  input: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn("ssh-keygen", args, { stdio: "pipe", env: withoutOwnSecrets() });
  // It may end before it has read all, and says itself why.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const ended = once(child, "close").then(
    ([code]: unknown[]) => (typeof code === "number" ? code : 1),
    (cause: unknown) => {
      if (errorCode(cause) !== "ENOENT") throw cause;
      throw new IkomaError("CONFIG_MISSING", "There is no ssh-keygen here, which signs and checks signatures.", {
        hint: "Install OpenSSH's client (8.0 or newer).",
        cause,
      });
    },
  );
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}
