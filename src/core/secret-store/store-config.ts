import * as z from "zod";
import { pemCertificate } from "../config/pem-certificate.ts";
import { personName, sshPublicKey } from "../policies/policy-config.ts";
import { parseStoreUrl } from "./store-url.ts";

// The descriptions are the reference: docs/reference/configuration.md and the JSON Schema for editors are made from them.

const storeUrl = z.string().superRefine((text, context) => {
  const read = parseStoreUrl(text);
  if (typeof read === "string") context.addIssue(read);
  else if (read.password !== undefined) context.addIssue("a password in it; the login comes from IKOMA_STORE_URL_FILE");
});

/** Public key that data keys are wrapped for. */
export const ageRecipient = z
  .string()
  .regex(/^age1[0-9a-z]{58}$/, "a recipient of age: `age1…`, as `ikoma secrets keygen` prints it");

/** `ikoma:store` */
export const storeConfig = z
  .strictObject({
    url: storeUrl
      .optional()
      .describe(
        "Address of its database, `postgres://[user@]host[:port]/database`, without password. A whole login comes from IKOMA_STORE_URL_FILE (or IKOMA_STORE_URL), which has to name the same server and database.",
      ),
    caCert: pemCertificate
      .optional()
      .describe("Certificate (PEM) of the only authority that the server's may be from; without it the usual ones."),
    environment: z
      .string()
      .regex(/^[\w.-]{1,100}$/, "letters, digits, and . _ - only")
      .optional()
      .describe("Name of this environment in the store; without it the stack's. Two projects in one store need two."),
    recipients: z
      .record(personName, ageRecipient)
      .default({})
      .describe("Who can read: a name, and the public key. `ikoma secrets recipients` changes this."),
    writers: z
      .record(personName, sshPublicKey)
      .default({})
      .describe(
        "Whose values count: a name, and the person's public SSH key. A value that none of them has signed is refused.",
      ),
  })
  .describe("The store that secrets with `{store: …}` come from: a PostgreSQL database with sealed values.");
export type StoreConfig = z.infer<typeof storeConfig>;

/** How a secret is called in the store. */
export const secretName = z.string().regex(/^[A-Za-z_][\w.-]{0,127}$/, "letters, digits, and . _ - only");

/** A secret whose value is in the store. */
export const storeSource = z.strictObject({
  store: z.union([z.literal(true), secretName]),
  version: z.number().int().positive().optional(),
});
