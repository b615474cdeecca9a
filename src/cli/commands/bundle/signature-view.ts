import type { RegistryOptions } from "../../../core/adapters/registry/endpoint.ts";
import { findSigners, signatureLabel } from "../../../core/signing/bundle-signature.ts";
import { readSignatures } from "../../../core/signing/signature-store.ts";
import { keysToCheckWith } from "./signers.ts";

/** A signature of a bundle; `signer` names the key that was found to have made it. */
interface SignatureView {
  readonly signature: string;
  readonly signer?: string;
}

/** Who has signed a bundle, as far as the keys at hand tell, for programs and for people. */
export async function describeSignatures(
  reference: string,
  digest: string,
  { key, cwd }: { readonly key: readonly string[]; readonly cwd: string },
  options: RegistryOptions,
): Promise<{ data: SignatureView[]; human: string }> {
  const [keys, { signatures, problem }] = await Promise.all([
    keysToCheckWith(key, cwd),
    readSignatures(reference, options),
  ]);
  const data = signatures.map((each): SignatureView => {
    const [signer] = findSigners(digest, [each], keys).signers;
    return { signature: signatureLabel(each), ...(signer !== undefined && { signer }) };
  });
  return { data, human: renderSignatures(data, Object.keys(keys).length > 0, problem) };
}

function renderSignatures(found: readonly SignatureView[], hasKeys: boolean, problem: string | undefined): string {
  const doubt = problem === undefined ? [] : [`Its signatures could not be read: ${problem}`];
  const lines = found.map(({ signature, signer }) => {
    if (signer !== undefined) return `Signed by ${signer}, ${signature}`;
    return `Signed by ${signature}${hasKeys ? ": not by a key that is trusted here" : ": not checked, for want of a key (--key)"}`;
  });
  const told = found.length === 0 && problem === undefined ? ["Not signed"] : [...doubt, ...lines];
  return `\n${told.join("\n")}\n`;
}
