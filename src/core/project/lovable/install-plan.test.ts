import { expect, test } from "@jest/globals";
import { npmLock, packageJson } from "../../../../test/rigs/lovable-project.ts";
import { planInstall } from "./install-plan.ts";
import { parsePackageFile } from "./package-file.ts";

const wanted = { react: "^19.2.0", zod: "^4.0.0" };
const manifest = parsePackageFile(packageJson("shop", wanted), "package.json");
const older = { react: "^18.0.0", zod: "^4.0.0" };

/** As bun writes it, with commas at the end. */
function bunLock(dependencies: object): string {
  return `{ "workspaces": { "": { "dependencies": ${JSON.stringify(dependencies)}, }, },\n}`;
}

test.each([
  [
    "npm's that fits",
    { "package-lock.json": npmLock(wanted), "bun.lock": bunLock(wanted) },
    "npm",
    "package-lock.json",
    true,
  ],
  [
    "bun's that fits beside npm's that is stale",
    { "package-lock.json": npmLock(older), "bun.lock": bunLock(wanted) },
    "bun",
    "bun.lock",
    true,
  ],
  [
    "bun's where both are stale",
    { "package-lock.json": npmLock(older), "bun.lock": bunLock(older) },
    "bun",
    "bun.lock",
    false,
  ],
  [
    "npm's, stale, beside bun's old binary one",
    { "package-lock.json": npmLock(older), "bun.lockb": "" },
    "npm",
    "package-lock.json",
    false,
  ],
  ["none that can be read", { "package-lock.json": "<<<<<<< HEAD", "yarn.lock": "" }, "npm", undefined, false],
  ["none at all", {}, "npm", undefined, false],
] as const)("of lock files the first that fits is followed: %s", (_, locks, tool, lock, isExact) => {
  expect(planInstall(manifest, locks)).toMatchObject({ tool, lock, isExact });
});

test("a stale one is said to be, with what it lacks, and why the others are not used", () => {
  const { reason, ignored } = planInstall(manifest, {
    "package-lock.json": npmLock(older),
    "bun.lockb": "",
    "pnpm-lock.yaml": "",
  });
  expect(reason).toBe("package-lock.json is stale: it and package.json differ in react");
  expect(ignored).toEqual([
    "bun.lockb (binary, and of an old bun)",
    "pnpm-lock.yaml (not a package manager of Lovable)",
  ]);
});

test.each([
  ["was taken out of", { ...wanted, left: "^1.0.0" }, {}],
  ["was moved in", { react: "^19.2.0" }, { devDependencies: { zod: "^4.0.0" } }],
  ["was optional in", wanted, { optionalDependencies: { left: "^1.0.0" } }],
])("a lock file is stale where a package %s package.json", (_, dependencies, more) => {
  const lock = JSON.stringify({ workspaces: { "": { dependencies, ...more } } });
  expect(planInstall(manifest, { "bun.lock": lock })).toMatchObject({ tool: "bun", isExact: false });
});
