import type { RunCommand } from "./haproxy-sockets.ts";

/**
 * Fingerprints of the certificates that the process has loaded from an app's files, which are named `<path><hash>.pem`:
 * what is served, whatever the files on disk say by now.
 */
export async function readFingerprints(run: RunCommand, path: string): Promise<string[]> {
  const isOwn = (name: string): boolean => name.startsWith(path) && /^[0-9a-f]{16}\.pem$/.test(name.slice(path.length));
  const names = (await run("show ssl cert")).split("\n").filter(isOwn);
  const fingerprints: string[] = [];
  for (const name of names) {
    const found = /^SHA1 FingerPrint: ([0-9A-F]+)$/m.exec(await run(`show ssl cert ${name}`))?.[1];
    if (found !== undefined) fingerprints.push(found);
  }
  return fingerprints;
}
