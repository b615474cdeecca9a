import * as z from "zod";
import { parsePublicKey } from "./signing-key.ts";

/** Whom a host trusts to say what runs on it, and whether it insists. */
export const signaturePolicy = z
  .strictObject({
    required: z
      .boolean()
      .optional()
      .describe("Refuse bundles that none of the keys has signed. Without it: where keys are named."),
    keys: z
      .record(
        z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/, "lower-case letters, digits, `-`, `_` and `.`"),
        z.string().refine((pem) => parsePublicKey(pem) !== undefined, "a public key in PEM, ECDSA P-256 or Ed25519"),
      )
      .default({})
      .describe("Public keys in PEM, by a name of your choice; `ikoma bundle keygen` makes pairs."),
  })
  .refine(
    ({ required, keys }) => required !== true || Object.keys(keys).length > 0,
    "`required` without any key would refuse every bundle: name the keys",
  );
export type SignaturePolicy = z.infer<typeof signaturePolicy>;

/** What an app asks for beyond its host's policy: a signature in any case, or where the host has keys to check it. */
export const signatureDemand = z.enum(["always", "with-keys"]);
export type SignatureDemand = z.infer<typeof signatureDemand>;

/** Whether only signed bundles may run: an app may ask for more than its host, never for less. */
export function isSignatureRequired(policy: SignaturePolicy | undefined, demand: SignatureDemand | undefined): boolean {
  const hasKeys = Object.keys(policy?.keys ?? {}).length > 0;
  return demand === "always" || (hasKeys && (demand === "with-keys" || (policy?.required ?? true)));
}

/** What an app's own settings come to; in a stack named `prod` a signature is asked for once there are keys. */
export function demandOf(stack: string, requireSignature: boolean | undefined): SignatureDemand | undefined {
  if (requireSignature === true) return "always";
  return requireSignature === undefined && stack === "prod" ? "with-keys" : undefined;
}
