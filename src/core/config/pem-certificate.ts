import * as z from "zod";

/** A certificate in a setting. */
export const pemCertificate = z.string().regex(/^-----BEGIN CERTIFICATE-----/, "a certificate as PEM text");
