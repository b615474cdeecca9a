import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/**
 * Makes, in a folder, an authority (`ca.pem`) and by it a server's certificate and key (`<name>.pem`, `<name>.key`).
 *
 * @param addresses who it is for, as openssl has them: `IP:127.0.0.1,DNS:db.test`
 */
export async function makeCertificates(folder: string, name: string, addresses: string): Promise<void> {
  const openssl = (...args: string[]) => run("openssl", args, { cwd: folder });
  await openssl("req", "-x509", ...newKey, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=lab", "-days", "2");
  await openssl("req", ...newKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  await writeFile(join(folder, "names"), `subjectAltName=${addresses}\n`);
  const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2"];
  await openssl("x509", "-req", "-in", `${name}.csr`, "-out", `${name}.pem`, ...signed);
}
