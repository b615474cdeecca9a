import { proofOf } from "../src/core/signing/bundle-proof.ts";
import { signatureLabel, type BundleSignature } from "../src/core/signing/bundle-signature.ts";
import type { BundleArgs } from "./resources/bundle.ts";

/** Who has signed a bundle, and the text that they have signed. */
export interface BundleSignatures {
  document: string;
  signatures: readonly BundleSignature[];
  /** Why there may be more. */
  problem?: string | undefined;
}

interface Bundle {
  digest: string;
  signed?: BundleSignatures | undefined;
}

/** What goes along with bundles for a host that checks signatures; nothing for what nobody has signed. */
export function signedBy(bundles: readonly Bundle[]): Pick<BundleArgs, "proofs" | "signatures" | "signatureProblem"> {
  const each = [...new Map(bundles.map((bundle) => [bundle.digest, bundle])).values()];
  const proofs = each.flatMap(({ digest, signed }) => (signed && proofOf({ digest, ...signed })) ?? []);
  const signatures = proofs.flatMap((proof) => proof.signatures.map(signatureLabel)).sort();
  const problem = each.map(({ signed }) => signed?.problem).find((text) => text !== undefined);
  return {
    ...(proofs.length > 0 && { proofs, signatures }),
    ...(problem !== undefined && { signatureProblem: problem }),
  };
}
