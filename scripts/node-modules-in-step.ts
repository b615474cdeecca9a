// Exits 0 when node_modules holds what package-lock.json asks for, else 1.
// Compares with npm's own record of its last install; `npm ls` says the same
// but takes seconds. Usage: node node-modules-in-step.ts ROOT
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

interface LockEntry {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
}

// No zod here: this runs before anything is installed.
const readLock = (path: string): Map<string, LockEntry> => {
  const lock = JSON.parse(readFileSync(path, "utf8")) as { packages?: Record<string, LockEntry> };
  return new Map(Object.entries(lock.packages ?? {}).filter(([path]) => path !== ""));
};

const inStep = (root: string): boolean => {
  const wanted = readLock(join(root, "package-lock.json"));
  const installed = readLock(join(root, "node_modules/.package-lock.json"));
  for (const [path, entry] of wanted) {
    const there = installed.get(path);
    // Packages for other platforms are in the lock but never installed.
    if (there === undefined ? entry.optional !== true : there.version !== entry.version) return false;
  }
  return [...installed.keys()].every((path) => wanted.has(path));
};

const root = process.argv[2] ?? ".";
try {
  process.exitCode = inStep(root) ? 0 : 1;
} catch {
  process.exitCode = 1; // no node_modules yet, or a damaged record of it
}
