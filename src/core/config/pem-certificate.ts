import * as z from "zod";

/** A certificate, or several one after the other, as PEM text. */
export const pemCertificate = z.string().regex(/^-----BEGIN CERTIFICATE-----/, "a certificate as PEM text");
