import * as z from "zod";
import packageJson from "../../package.json" with { type: "json" };
import { parseFingerprint, type AdminFingerprint } from "../core/link/admin-fingerprint.ts";
import { IkomaError, toIkomaError } from "../core/errors.ts";
import { serveApi } from "./serve.ts";

/** What the API's image is told, by its environment. */
const environment = z.object({
  IKOMA_API_STATE: z.string().default("/var/lib/ikoma-api"),
  IKOMA_API_PORT: z.coerce.number().int().min(1).max(65535).default(7410),
  /** Fingerprints, with blanks between them. */
  IKOMA_API_ADMINS: z.string().default(""),
});

/** The API as its image runs it: plain HTTP, for the edge of its host alone, which has the certificate. */
async function main(): Promise<void> {
  const told = new Promise<void>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.once(signal, () => {
        resolve();
      });
  });
  const { IKOMA_API_STATE: state, IKOMA_API_PORT: port, IKOMA_API_ADMINS: given } = environment.parse(process.env);
  const { version } = packageJson;
  const admins = given.split(/\s+/).filter(Boolean).map(adminOf);
  const place = { host: "0.0.0.0", port, tls: undefined, isBehindProxy: true };
  const api = await serveApi({ ...place, state, admins, version });
  await told;
  await api.close();
}

function adminOf(text: string): AdminFingerprint {
  const found = parseFingerprint(text);
  if (found !== undefined) return found;
  throw new IkomaError("CONFIG_INVALID", "IKOMA_API_ADMINS has a word that is no fingerprint of an admin's token.");
}

main().catch((error: unknown) => {
  const { code, message } = toIkomaError(error);
  process.stderr.write(`${code}: ${message}\n`);
  process.exitCode = 1;
});
