import { X509Certificate } from "node:crypto";
import type { Host } from "../host.ts";
import type { Drift } from "../protocol/views.ts";

/** How what the edge has loaded for an app differs from this certificate (undefined: none). */
export async function certificateDrift(host: Host, app: string, pem: string | undefined): Promise<Drift[]> {
  const wanted = pem === undefined ? "none" : new X509Certificate(pem).fingerprint.replaceAll(":", "");
  const found = (await host.edge.certificates(app)).join(", ") || "none";
  if (found === wanted) return [];
  const message = found === "none" ? "the edge has no certificate of the app" : `the edge has the certificate ${found}`;
  return [{ path: "certificatePem", message, wanted, found }];
}
