import { access, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { IkomaError } from "../../errors.ts";
import { readEnvironmentFiles } from "./environment-files.ts";
import { lockNames, planInstall, readLockNames, type InstallPlan } from "./install-plan.ts";
import type { Generation, LovableProject, Recognition } from "./lovable-project.ts";
import { chooseNode } from "./node-version.ts";
import { needsWholeFolder, parsePackageFile, rangeOf, type PackageFile } from "./package-file.ts";
import { projectNotes } from "./project-notes.ts";
import { scanSource } from "./source-scan.ts";
import { expectedBuild, outputFolder, viteConfigNames } from "./vite-config.ts";

/** How deep below the folder other package.json files are looked for. */
const nestedDepth = 2;
const notSearched = new Set(["node_modules", "dist", "supabase", "public"]);

/** What the two generations are told by, and how it stood. */
interface Marks {
  readonly manifest: PackageFile | undefined;
  readonly viteConfig: string | undefined;
  readonly lovable: readonly string[];
  readonly hasPage: boolean;
  readonly hasRoutes: boolean;
}

/**
 * Looks whether a folder is a project that Lovable made, and what its build needs. Reads files, runs nothing of the
 * project, and changes nothing.
 *
 * @throws PROJECT_UNSUPPORTED where its package.json is not readable
 */
export async function recogniseProject(folder: string): Promise<Recognition> {
  const [marks, nested] = await Promise.all([readMarks(folder), nestedPackages(folder)]);
  const known = knownBy(marks);
  return known === undefined
    ? { kind: "unknown", folder, looked: lookedFor(marks), hint: await hintFor(folder, nested) }
    : { kind: "recognised", project: await describe(folder, known, nested) };
}

/**
 * The recognised project of a folder.
 *
 * @throws PROJECT_UNKNOWN saying what was looked for; PROJECT_UNSUPPORTED as {@link recogniseProject}
 */
export async function requireProject(folder: string): Promise<LovableProject> {
  const recognition = await recogniseProject(folder);
  if (recognition.kind === "recognised") return recognition.project;
  const { looked, hint } = recognition;
  throw new IkomaError("PROJECT_UNKNOWN", `${folder} is no project of Lovable that is known: ${looked.join("; ")}.`, {
    hint,
    details: { looked },
  });
}

async function readMarks(folder: string): Promise<Marks> {
  const [text, viteConfig] = await Promise.all([readText(folder, "package.json"), firstText(folder, viteConfigNames)]);
  const manifest = text === undefined ? undefined : parsePackageFile(text, join(folder, "package.json"));
  const [hasPage, hasRoutes, hasFolder, hasClient] = await Promise.all([
    exists(folder, "index.html"),
    anyExists(folder, ["src/routes", "src/router.tsx", "src/router.ts"]),
    exists(folder, ".lovable"),
    exists(folder, "src/integrations/supabase/client.ts"),
  ]);
  const packages = ["lovable-tagger", "@lovable.dev/vite-tanstack-config", "@lovable.dev/vite-plugin-hmr-gate"];
  const lovable = [
    ...(["vite_react_shadcn_ts", "tanstack_start_ts"].includes(manifest?.name ?? "")
      ? [`named ${manifest?.name}`]
      : []),
    ...packages.filter((name) => manifest !== undefined && rangeOf(manifest, name) !== undefined),
    ...(hasFolder ? [".lovable/"] : []),
    ...(hasClient ? ["src/integrations/supabase/client.ts"] : []),
  ];
  return { manifest, viteConfig, lovable, hasPage, hasRoutes };
}

/** What tells a known project, and the files that its facts are read from. */
interface Known {
  readonly generation: Generation;
  readonly reasons: readonly string[];
  readonly manifest: PackageFile;
  readonly viteConfig: string;
}

/** Generation 2 is told by TanStack Start alone; a page with Vite could be anybody's, so it must bear a mark of Lovable. */
function knownBy({ manifest, viteConfig, lovable, hasPage, hasRoutes }: Marks): Known | undefined {
  if (manifest === undefined || viteConfig === undefined) return undefined;
  const start = rangeOf(manifest, "@tanstack/react-start");
  if (start !== undefined) {
    const reasons = [`@tanstack/react-start ${start}`, ...lovable];
    return hasRoutes ? { generation: 2, reasons, manifest, viteConfig } : undefined;
  }
  const vite = rangeOf(manifest, "vite");
  if (vite === undefined || !hasPage || lovable.length === 0) return undefined;
  return { generation: 1, reasons: [`vite ${vite} with index.html`, ...lovable], manifest, viteConfig };
}

function lookedFor({ manifest, viteConfig, lovable, hasPage, hasRoutes }: Marks): string[] {
  const asks = (name: string): boolean => manifest !== undefined && rangeOf(manifest, name) !== undefined;
  const there = (what: string, found: boolean): string => `${what}: ${found ? "there" : "not there"}`;
  return [
    there("package.json", manifest !== undefined),
    there("vite.config.*", viteConfig !== undefined),
    there("generation 2: @tanstack/react-start", asks("@tanstack/react-start")),
    there("with src/routes or src/router.tsx", hasRoutes),
    there("generation 1: vite", asks("vite")),
    there("with index.html", hasPage),
    there("and a mark of Lovable (package name, lovable-tagger, .lovable, Supabase client)", lovable.length > 0),
  ];
}

async function hintFor(folder: string, nested: readonly string[]): Promise<string> {
  const below = await Promise.all(
    nested.map(async (name) => {
      // One whose package.json is broken is not this folder's trouble.
      const marks = await readMarks(join(folder, name)).catch(() => undefined);
      return marks === undefined || knownBy(marks) === undefined ? [] : [name];
    }),
  );
  const [first] = below.flat();
  return first === undefined
    ? "Write a compose.yaml and a Dockerfile for it; any compose application can be deployed."
    : `There is one in ${first}: run with --cwd ${join(folder, first)}.`;
}

async function describe(
  folder: string,
  { generation, reasons, manifest, viteConfig }: Known,
  nested: readonly string[],
): Promise<LovableProject> {
  const [install, source, environmentFiles, supabase, node, dockerignore, dockerfile] = await Promise.all([
    readInstall(folder, manifest),
    scanSource(folder),
    readEnvironmentFiles(folder),
    countSupabase(folder),
    firstText(folder, [".nvmrc", ".node-version"]),
    // In the order in which BuildKit takes them.
    firstText(folder, ["Dockerfile.dockerignore", ".dockerignore"]),
    readText(folder, "Dockerfile"),
  ]);
  const { major, reason } = chooseNode({ engines: manifest.engines.node, versionFile: node }, generation);
  const build =
    generation === 2
      ? expectedBuild(viteConfig, manifest)
      : { shape: "static" as const, reason: "a single-page app is static files", pinnedPreset: undefined };
  const facts = {
    ...{ folder, generation, reasons, install, environmentFiles, supabase, nested },
    ...{ shape: build.shape, shapeReason: build.reason, pinnedPreset: build.pinnedPreset },
    ...{ nodeMajor: major, nodeReason: reason, sourceHosts: source.hosts },
    buildVariables: source.buildVariables,
    runVariables: generation === 2 ? source.runVariables : [],
    ownFiles: { dockerfile, dockerignore },
    needsWholeFolder: needsWholeFolder(manifest),
    hasBuild: manifest.scripts.build !== undefined,
    outputFolder: outputFolder(viteConfig),
  };
  return { ...facts, notes: projectNotes(facts) };
}

async function readInstall(folder: string, manifest: PackageFile): Promise<InstallPlan> {
  const locks = await Promise.all(lockNames.map(async (name) => [name, await lockText(folder, name)] as const));
  return planInstall(manifest, Object.fromEntries(locks));
}

async function lockText(folder: string, name: string): Promise<string | undefined> {
  if (readLockNames.includes(name)) return readText(folder, name);
  return (await exists(folder, name)) ? "" : undefined;
}

async function countSupabase(folder: string): Promise<LovableProject["supabase"]> {
  const list = (name: string): ReturnType<typeof entriesOf> => entriesOf(join(folder, "supabase", name));
  const [functions, migrations] = await Promise.all([list("functions"), list("migrations")]);
  return {
    functions: functions.filter((entry) => entry.isDirectory() && !entry.name.startsWith("_")).length,
    migrations: migrations.filter((entry) => entry.isFile() && entry.name.endsWith(".sql")).length,
  };
}

async function nestedPackages(folder: string, depth = nestedDepth): Promise<string[]> {
  const entries = (await entriesOf(folder)).filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith(".") && !notSearched.has(entry.name),
  );
  const found = await Promise.all(
    entries.map(async ({ name }) => {
      const own = (await exists(folder, join(name, "package.json"))) ? [name] : [];
      const below = depth > 1 ? await nestedPackages(join(folder, name), depth - 1) : [];
      return [...own, ...below.map((each) => join(name, each))];
    }),
  );
  return found.flat();
}

function entriesOf(folder: string): Promise<import("node:fs").Dirent[]> {
  return readdir(folder, { withFileTypes: true }).catch(() => []);
}

function readText(folder: string, name: string): Promise<string | undefined> {
  return readFile(join(folder, name), "utf8").catch(() => undefined);
}

async function firstText(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const text = await readText(folder, name);
    if (text !== undefined) return text;
  }
  return undefined;
}

function exists(folder: string, name: string): Promise<boolean> {
  return access(join(folder, name)).then(
    () => true,
    () => false,
  );
}

async function anyExists(folder: string, names: readonly string[]): Promise<boolean> {
  return (await Promise.all(names.map((name) => exists(folder, name)))).includes(true);
}
