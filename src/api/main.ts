import * as z from "zod";
import packageJson from "../../package.json" with { type: "json" };
import { IkomaError, toIkomaError } from "../core/errors.ts";
import { requireFingerprint } from "../core/link/admin-fingerprint.ts";
import { serveUntilTold } from "./serve.ts";

/** What the API's image is told, by its environment. */
const environment = z.object({
  IKOMA_API_STATE: z.string().default("/var/lib/ikoma-api"),
  IKOMA_API_PORT: z.coerce.number().int().min(1).max(65535).default(7410),
  /** Fingerprints, with blanks between them. */
  IKOMA_API_ADMINS: z.string().default(""),
});

/** The API as its image runs it: plain HTTP, for the edge of its host alone, which has the certificate. */
async function main(): Promise<void> {
  const read = environment.safeParse(process.env);
  if (!read.success) throw new IkomaError("CONFIG_INVALID", z.prettifyError(read.error), { cause: read.error });
  const { IKOMA_API_STATE: state, IKOMA_API_PORT: port, IKOMA_API_ADMINS: given } = read.data;
  const words = given.split(/\s+/).filter(Boolean);
  const admins = words.map((word) => requireFingerprint(word, "IKOMA_API_ADMINS", "CONFIG_INVALID"));
  const place = { host: "0.0.0.0", port, tls: undefined, isBehindProxy: true };
  await serveUntilTold({ ...place, state, admins, version: packageJson.version });
}

main().catch((error: unknown) => {
  const { code, message } = toIkomaError(error);
  process.stderr.write(`${code}: ${message}\n`);
  process.exitCode = 1;
});
