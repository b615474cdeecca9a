import type { CommandResult } from "../../lab/run-command.ts";
import type { Canary, Sighting } from "./canary.ts";

/** Runs a line of bash somewhere. */
export type Shell = (line: string, options: { stdin: string; timeoutMs: number }) => Promise<CommandResult>;

/** Reads needles from standard input, so that no command line has them, and answers `file:needle`. */
const search = `needles=$(cat)
search() { grep --recursive --text --only-matching --with-filename --no-messages --devices=skip \
  --fixed-strings --file=<(printf '%s\\n' "$needles") "$@" | sort --unique; }
`;

/** Of a compressed file what is in it, of any other what it is. */
const unpacked = `each() { while read -r file; do
  gzip --decompress --stdout --force -- "$file" 2>/dev/null | search --label="$file" -
done; }
`;

/**
 * The canaries that are in files below these paths, whatever kind of file it is.
 *
 * @param skip names of folders that are not gone into
 */
export function sightingsInFiles(
  shell: Shell,
  { paths, skip = [] }: { readonly paths: readonly string[]; readonly skip?: readonly string[] },
  canaries: readonly Canary[],
): Promise<Sighting[]> {
  const excluded = skip.map((name) => `--exclude-dir='${name}'`);
  return found(shell, `${search} search ${[...excluded, ...paths.map((each) => `'${each}'`)].join(" ")}`, canaries);
}

/** The same of what is in compressed files (layers of images), and only in files that were written since `sinceMs`. */
export function sightingsInBlobs(
  shell: Shell,
  { folder, sinceMs }: { readonly folder: string; readonly sinceMs: number },
  canaries: readonly Canary[],
): Promise<Sighting[]> {
  const files = `find '${folder}' -type f -newermt '@${sinceMs / 1000}'`;
  return found(shell, `${search}${unpacked}${files} | each`, canaries);
}

async function found(shell: Shell, line: string, canaries: readonly Canary[]): Promise<Sighting[]> {
  const needles = new Map(canaries.flatMap(({ name, needles: own }) => own.map((needle) => [needle, name] as const)));
  const { stdout } = await shell(line, { stdin: [...needles.keys()].join("\n"), timeoutMs: 60_000 });
  return stdout.split("\n").flatMap((seen) => {
    const at = seen.lastIndexOf(":");
    const canary = needles.get(seen.slice(at + 1));
    return canary === undefined ? [] : [{ canary, where: `file ${seen.slice(0, at)}` }];
  });
}
