import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import type { TrustedKeys } from "../../../core/signing/bundle-signature.ts";

/**
 * Public keys by name: of files (`ci.pub` is `ci`), or, where none is named, those that the stack `hosts` of the
 * folder gives to its hosts.
 *
 * @throws IkomaError SIGNING_KEY_INVALID, CONFIG_INVALID
 */
export async function keysToCheckWith(files: readonly string[], folder: string): Promise<TrustedKeys> {
  if (files.length === 0) return keysOfHosts(folder);
  const keys = files.map(async (file) => [nameOf(file), await publicKey(file, folder)] as const);
  return Object.fromEntries(await Promise.all(keys));
}

async function keysOfHosts(folder: string): Promise<TrustedKeys> {
  const { readHostFiles } = await import("../../../core/hosts/host-files.ts");
  const setups = (await readHostFiles(folder)).flatMap(({ setup }) => Object.values(setup));
  const keys: Record<string, string> = {};
  for (const { signatures } of setups) Object.assign(keys, signatures?.keys);
  return keys;
}

async function publicKey(file: string, folder: string): Promise<string> {
  const [{ parsePublicKey }, { IkomaError }] = await Promise.all([
    import("../../../core/signing/signing-key.ts"),
    import("../../../core/errors.ts"),
  ]);
  const pem = await readFile(resolve(folder, file), "utf8").catch(() => "");
  if (parsePublicKey(pem) !== undefined) return pem;
  throw new IkomaError("SIGNING_KEY_INVALID", `${file} is no public key in PEM, ECDSA P-256 or Ed25519.`, {
    hint: "Name the file NAME.pub of a pair that `ikoma bundle keygen` has made.",
  });
}

function nameOf(file: string): string {
  return basename(file).replace(/\.(pub|pem)$/, "");
}
