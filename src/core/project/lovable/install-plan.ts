import * as z from "zod";
import type { PackageFile } from "./package-file.ts";

/** How the packages are installed. */
export interface InstallPlan {
  readonly tool: "npm" | "bun";
  /** The lock file that is followed; undefined where none can be. */
  readonly lock: string | undefined;
  /** The lock file says for every package which version; otherwise newer ones may come. */
  readonly isExact: boolean;
  readonly reason: string;
  /** Lock files that are there and not followed, each with the reason. */
  readonly ignored: readonly string[];
}

/** Lock files by name, as text; of one that is not followed it is enough that there is one. */
export type LockFiles = Readonly<Record<string, string | undefined>>;

/** Every kind that is known, in the order in which they are tried. */
export const lockNames = ["package-lock.json", "bun.lock", "bun.lockb", "yarn.lock", "pnpm-lock.yaml"] as const;
/** Those that are read. */
export const readLockNames: readonly string[] = ["package-lock.json", "bun.lock"];

/** Kinds of packages that an install brings. */
const groups = ["dependencies", "devDependencies", "optionalDependencies"] as const;

const dependencies = z.record(z.string(), z.string()).default({});
const wanted = z.looseObject({ dependencies, devDependencies: dependencies, optionalDependencies: dependencies });
const npmLock = z.looseObject({ packages: z.looseObject({ "": wanted }) });
const bunLock = z.looseObject({ workspaces: z.looseObject({ "": wanted }) });

/**
 * Chooses how to install. Projects mostly have several lock files, of which one is stale: the first that fits
 * package.json is followed. None of them fitting is usual as well, and then versions are resolved anew.
 */
export function planInstall(manifest: PackageFile, locks: LockFiles): InstallPlan {
  const npm = read(npmLock, locks["package-lock.json"])?.packages[""];
  const bun = read(bunLock, withoutTrailingCommas(locks["bun.lock"]))?.workspaces[""];
  const [npmGap, bunGap] = [gap(manifest, npm), gap(manifest, bun)];
  const plan = ((): Omit<InstallPlan, "ignored"> => {
    if (npm !== undefined && npmGap.length === 0) return exact("npm", "package-lock.json");
    if (bun !== undefined && bunGap.length === 0) return exact("bun", "bun.lock");
    if (bun !== undefined) return stale("bun", "bun.lock", bunGap);
    if (npm !== undefined) return stale("npm", "package-lock.json", npmGap);
    return { tool: "npm", lock: undefined, isExact: false, reason: "no lock file can be followed" };
  })();
  const others = lockNames.filter((name) => locks[name] !== undefined && name !== plan.lock);
  const gaps: Partial<Record<string, readonly string[]>> = { "package-lock.json": npmGap, "bun.lock": bunGap };
  return { ...plan, ignored: others.map((name) => `${name} (${whyIgnored(name, gaps[name] ?? [])})`) };
}

function exact(tool: InstallPlan["tool"], lock: string): Omit<InstallPlan, "ignored"> {
  return { tool, lock, isExact: true, reason: `${lock} fits package.json` };
}

function stale(tool: InstallPlan["tool"], lock: string, gaps: readonly string[]): Omit<InstallPlan, "ignored"> {
  const more = gaps.length > 3 ? ` and ${gaps.length - 3} more` : "";
  const reason = `${lock} is stale: it and package.json differ in ${gaps.slice(0, 3).join(", ")}${more}`;
  return { tool, lock, isExact: false, reason };
}

function whyIgnored(name: string, missing: readonly string[]): string {
  if (name === "bun.lockb") return "binary, and of an old bun";
  if (name === "yarn.lock" || name === "pnpm-lock.yaml") return "not a package manager of Lovable";
  return missing.length > 0 ? "stale" : "another one is followed";
}

/**
 * Packages that the one has and the other has not, or not in that form. A frozen install of bun also fails where one
 * was taken out of package.json, or moved to another group.
 */
function gap(manifest: PackageFile, locked: z.infer<typeof wanted> | undefined): string[] {
  const differing = groups.flatMap((group) => {
    const [asked, known] = [manifest[group], locked?.[group] ?? {}];
    return Object.keys({ ...asked, ...known }).filter((name) => asked[name] !== known[name]);
  });
  return [...new Set(differing)];
}

function read<S extends z.ZodType>(schema: S, text: string | undefined): z.infer<S> | undefined {
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    // A lock file that a merge has broken is as good as none.
    return undefined;
  }
}

/** bun's text lock is JSON but for those. */
function withoutTrailingCommas(text: string | undefined): string | undefined {
  return text?.replaceAll(/,(\s*[}\]])/g, "$1");
}
