import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * Makes an authority that nobody else knows (`ca.pem`) and a certificate of it for an address (`api.pem`, `api.key`), in
 * a folder.
 */
export async function makeCertificate(folder: string, address: string): Promise<void> {
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  await openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=lab", "-days", "2");
  await openssl("req", ...newKey, "-keyout", "api.key", "-out", "api.csr", "-subj", "/CN=api");
  await writeFile(`${folder}/names`, `subjectAltName=IP:${address}\n`);
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2"];
  await openssl("x509", "-req", "-in", "api.csr", "-out", "api.pem", ...signed);
}
