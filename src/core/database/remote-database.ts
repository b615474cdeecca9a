import * as z from "zod";
import { pemCertificate } from "../config/pem-certificate.ts";

// The descriptions are the reference: docs/reference/configuration.md is made from them.

/** `database` of an app's settings: a PostgreSQL database that a URL leads to. */
export const databaseSettings = z.strictObject({
  url: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of a secret, not the URL itself")
    .default("DATABASE_URL")
    .describe(
      "Name in `ikoma:secrets` of the app under which its URL is: `postgresql://USER:PASSWORD@HOST:5432/DATABASE`, of a direct connection or of a pooler in session mode.",
    ),
  caCert: pemCertificate
    .optional()
    .describe(
      "Certificate (PEM) of the authority that the server's certificate is from, in place of the usual ones. Supabase and RDS have authorities of their own.",
    ),
  identity: z
    .string()
    .min(1)
    .optional()
    .describe(
      "The database that migrations may go to although another one had them before, or although it is another app's or environment's: as `DATABASE_MISMATCH` names it.",
    ),
});
export type DatabaseSettings = z.infer<typeof databaseSettings>;

/** What the host is told of a database that a URL leads to. */
export const remoteDatabase = databaseSettings.pick({ caCert: true, identity: true }).extend({
  /** A secret, as a whole. */
  url: z.string().min(1),
  /** Name of the stack, so that no other environment takes the database for its own. */
  environment: z.string().min(1),
});
export type RemoteDatabase = z.infer<typeof remoteDatabase>;

/** Where a URL leads to, without what is secret in it. */
export const databaseTarget = z.strictObject({
  host: z.string(),
  port: z.number().int(),
  database: z.string(),
  user: z.string(),
});
export type DatabaseTarget = z.infer<typeof databaseTarget>;
