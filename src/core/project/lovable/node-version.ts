/** What builds a project that says nothing of it. */
export const usualNodeMajor = 24;
/** TanStack Start asks for 22.12. */
const oldestForStart = 22;

/** What a project says of its Node.js: `engines.node`, and the first line of `.nvmrc` or `.node-version`. */
export interface NodeWishes {
  readonly engines: string | undefined;
  readonly versionFile: string | undefined;
}

/** The major version of Node.js to use: the usual one unless the project wants another. */
export function chooseNode({ engines, versionFile }: NodeWishes, generation: 1 | 2): { major: number; reason: string } {
  const wish = versionFile === undefined ? fromRange(engines) : namedMajor(versionFile);
  const source =
    versionFile === undefined ? `engines.node is ${engines}` : `its version file says ${versionFile.trim()}`;
  if (wish === undefined) return { major: usualNodeMajor, reason: "the project asks for no other" };
  if (generation === 2 && wish < oldestForStart) {
    return { major: usualNodeMajor, reason: `${source}, but TanStack Start needs ${oldestForStart} or newer` };
  }
  return { major: wish, reason: source };
}

/** `v20.11.1`, `20`; names like `lts/-1` say none. */
function namedMajor(text: string): number | undefined {
  const found = /^v?(\d+)/.exec(text.trim())?.[1];
  return found === undefined ? undefined : Number(found);
}

/** `>=18` is met by the usual one; `20.x`, `^20`, `>=18 <21` want an older one. */
function fromRange(range: string | undefined): number | undefined {
  if (range === undefined) return undefined;
  const alternatives = range.split("||").map((each) => newestOf(each.trim()));
  if (alternatives.includes(usualNodeMajor)) return undefined;
  const known = alternatives.filter((major) => major !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function newestOf(range: string): number | undefined {
  const below = /<(=?)\s*v?(\d+)/.exec(range);
  if (below !== null) {
    const end = Number(below[2]) - (below[1] === "=" || /<\s*v?\d+\.0*[1-9]/.test(range) ? 0 : 1);
    return Math.min(end, usualNodeMajor);
  }
  const first = majorOf(range);
  if (first === undefined || range.startsWith(">")) return usualNodeMajor;
  return first;
}

function majorOf(text: string): number | undefined {
  const found = /\d+/.exec(text)?.[0];
  return found === undefined ? undefined : Number(found);
}
