import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  oldBackend,
  packageJson,
  spaTree,
  startPackage,
  startTree,
  supabaseKey,
  writeTree,
  type ProjectTree,
} from "../../../../test/rigs/lovable-project.ts";
import type { LovableProject } from "./lovable-project.ts";
import { recogniseProject, requireProject } from "./recognise.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-lovable-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function projectOf(tree: ProjectTree): Promise<LovableProject> {
  await writeTree(folder, tree);
  return requireProject(folder);
}

function textsOf({ notes }: LovableProject, level: "info" | "warning"): string {
  return notes.flatMap((note) => (note.level === level ? [note.text] : [])).join("\n");
}

test("a single-page app with a mark of Lovable is generation 1, and nothing is written", async () => {
  const project = await projectOf(spaTree);
  expect(project).toMatchObject({
    ...{ generation: 1, shape: "static", outputFolder: "dist", nodeMajor: 24, hasBuild: true },
    reasons: [
      "vite ^5.4.1 with index.html",
      "named vite_react_shadcn_ts",
      "lovable-tagger",
      "src/integrations/supabase/client.ts",
    ],
    install: { tool: "npm", lock: "package-lock.json", isExact: true, ignored: [] },
    notes: [],
  });
  expect(project.buildVariables.map(({ name }) => name)).toEqual([
    "VITE_SUPABASE_PUBLISHABLE_KEY",
    "VITE_SUPABASE_URL",
  ]);
  expect((await readdir(folder)).sort()).toEqual(
    [...new Set(Object.keys(spaTree).map((name) => name.split("/")[0]))].sort(),
  );
});

test("a page of Vite without any mark of Lovable could be anybody's", async () => {
  const tree = {
    ...spaTree,
    "package.json": packageJson("mine", { vite: "^5" }),
    "src/integrations/supabase/client.ts": undefined,
  };
  await expect(projectOf(tree)).rejects.toMatchObject({
    code: "PROJECT_UNKNOWN",
    message: expect.stringMatching(/vite: there; with index.html: there; and a mark of Lovable .*: not there/),
  });
});

test.each([
  ["Lovable's configuration 2.x", {}, "nitro"],
  ["Lovable's configuration 1.x", { "package.json": startPackage("^1.7.0") }, "fetch-handler"],
  [
    "1.x with nitro() put in",
    {
      "package.json": startPackage("^1.7.0"),
      "vite.config.ts": `export default defineConfig({ vite: { plugins: [nitro()] } });`,
    },
    "nitro",
  ],
  [
    "nitro() without Lovable",
    {
      "package.json": packageJson("shop", { "@tanstack/react-start": "^1" }),
      "vite.config.ts": `export default { plugins: [nitro()] };`,
    },
    "nitro",
  ],
  [
    "the plugin of Cloudflare",
    {
      "package.json": packageJson("shop", { "@tanstack/react-start": "^1" }),
      "vite.config.ts": `import { cloudflare } from "@cloudflare/vite-plugin";`,
    },
    "fetch-handler",
  ],
  [
    "TanStack Start alone",
    {
      "package.json": packageJson("shop", { "@tanstack/react-start": "^1" }),
      "vite.config.ts": `// nitro()\nexport default {};`,
    },
    "fetch-handler",
  ],
])("generation 2 built by %s", async (_, changes, shape) => {
  expect(await projectOf({ ...startTree, ...changes })).toMatchObject({
    generation: 2,
    shape,
    pinnedPreset: undefined,
  });
});

test("a pinned preset is found, and one in a comment is not", async () => {
  const pinned = `// preset: "netlify"\nexport default defineConfig({ nitro: { preset: "vercel" } });`;
  expect(await projectOf({ ...startTree, "vite.config.ts": pinned })).toMatchObject({ pinnedPreset: "vercel" });
});

test.each([
  [`export default { nitro: { /* preset: "vercel" */ compatibilityDate: "latest" } };`, undefined],
  [`export default { nitro: {}, plugins: [pwa({ preset: "minimal-2023" })] };`, undefined],
  [`export default { plugins: [nitro({ rollup: { external: [] }, preset: "vercel" })] };`, "vercel"],
])("of %s the preset is %s", async (config, pinnedPreset) => {
  expect((await projectOf({ ...startTree, "vite.config.ts": config })).pinnedPreset).toBe(pinnedPreset);
});

test("an output folder in a comment is none", async () => {
  const config = `export default { build: {\n// outDir: "build"\n} };`;
  expect(await projectOf({ ...spaTree, "vite.config.ts": config })).toMatchObject({ outputFolder: "dist" });
});

test("what the server reads by process.env is asked for while it runs, whatever its name", async () => {
  const project = await projectOf({ ...startTree, "src/lib/mail.server.ts": "process.env.VITE_MAIL_URL;" });
  expect(project.runVariables.map(({ name }) => name)).toEqual(["VITE_MAIL_URL"]);
});

test("the server's variables are told apart by whether the source does without, test files and comments left out", async () => {
  const project = await projectOf({
    ...startTree,
    "src/lib/other.test.ts": "process.env.ONLY_A_TEST; import.meta.env.VITE_TEST;",
    "src/lib/notes.ts": "// import.meta.env.VITE_FOO is public\n/* process.env.BAR */\n",
  });
  expect(project.buildVariables).toEqual([]);
  expect(project.runVariables).toEqual([
    { name: "MAIL_FROM", file: "src/lib/mail.server.ts", hasFallback: true },
    { name: "RESEND_API_KEY", file: "src/lib/mail.server.ts", hasFallback: false },
  ]);
});

test("a secret in a committed .env is told first and loudly, without its value", async () => {
  const key = supabaseKey("service_role");
  await writeTree(folder, {
    ".env": `VITE_SUPABASE_URL=https://${oldBackend}\nSUPABASE_SERVICE_ROLE_KEY=${key}\nVITE_SUPABASE_ANON_KEY=${supabaseKey("anon")}\n`,
  });
  await promisify(execFile)("git", ["-C", folder, "init", "-q"]);
  await promisify(execFile)("git", ["-C", folder, "add", ".env"]);
  const project = await projectOf(spaTree);
  expect(project.notes[0]).toMatchObject({ level: "warning" });
  expect(project.notes[0]?.text).toMatch(
    /^SECRETS IN \.env: it is committed, .*SUPABASE_SERVICE_ROLE_KEY \(a Supabase service_role key/,
  );
  expect(project.notes[0]?.text).not.toContain("ANON_KEY");
  expect(textsOf(project, "info")).toContain(`.env names the backend ${oldBackend}; the build does not read it`);
  expect(JSON.stringify(project)).not.toContain(key);
});

test("a folder and a broken link with the name of a .env are passed over, and a link is followed", async () => {
  await mkdir(join(folder, ".env"));
  await symlink("nowhere", join(folder, ".env.local"));
  await writeTree(folder, { shared: "VITE_A=1\n" });
  await symlink("shared", join(folder, ".env.production"));
  const { environmentFiles } = await projectOf(spaTree);
  expect(environmentFiles).toMatchObject([{ name: ".env.production", names: ["VITE_A"] }]);
});

test("a Dockerfile of its own that does not search what it built is told", async () => {
  const client = { "src/integrations/supabase/client.ts": `const SUPABASE_URL = "https://${oldBackend}";` };
  const project = await projectOf({ ...spaTree, ...client, Dockerfile: "FROM node:24\n" });
  expect(textsOf(project, "info")).toContain("own Dockerfile makes is not searched");
  expect(textsOf(project, "warning")).toBe(
    `src/integrations/supabase/client.ts has the backend ${oldBackend} written into it.`,
  );
  expect(textsOf(await projectOf({ Dockerfile: "FROM node:24\nARG BACKENDS\n" }), "info")).toBe("");
});

test("a backend written into the source is told with its file, the client's first", async () => {
  const project = await projectOf({
    ...spaTree,
    "src/App.tsx": `const logo = "https://${oldBackend}/storage/logo.png";`,
    "src/integrations/supabase/client.ts": `const SUPABASE_URL = "https://${oldBackend}";`,
  });
  expect(project.sourceHosts).toEqual([{ host: oldBackend, file: "src/integrations/supabase/client.ts" }]);
  expect(textsOf(project, "warning")).toContain(`--backend ${oldBackend}`);
});

test("functions, migrations and other packages are counted and said to stay out", async () => {
  const project = await projectOf({
    ...startTree,
    "supabase/functions/pay/index.ts": "",
    "supabase/functions/_shared/cors.ts": "",
    "supabase/migrations/20260101000000_a.sql": "",
    "tools/report/package.json": "{}",
  });
  expect(project).toMatchObject({ supabase: { functions: 1, migrations: 1 }, nested: ["tools/report"] });
  expect(textsOf(project, "info")).toMatch(/1 edge functions.*\n.*tools\/report/);
});

test("an app in a folder below is named, and a folder with nothing says what was looked for", async () => {
  await writeTree(join(folder, "frontend"), spaTree);
  const hint = `There is one in frontend: run with --cwd ${join(folder, "frontend")}.`;
  expect(await recogniseProject(folder)).toMatchObject({
    kind: "unknown",
    hint,
    looked: expect.arrayContaining(["package.json: not there"]),
  });
});

test("a package.json that is broken is said to be with its path, and below an unknown folder it is passed over", async () => {
  const broken = "<<<<<<< HEAD";
  await writeTree(folder, { "a/package.json": broken });
  await writeTree(join(folder, "b"), spaTree);
  expect(await recogniseProject(folder)).toMatchObject({
    kind: "unknown",
    hint: expect.stringContaining("There is one in b"),
  });
  await expect(projectOf({ ...spaTree, "package.json": broken })).rejects.toMatchObject({
    code: "PROJECT_UNSUPPORTED",
    message: `${join(folder, "package.json")} cannot be read.`,
  });
});
