import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Files by path; what is undefined is left out. */
export type ProjectTree = Readonly<Record<string, string | undefined>>;

/** A Supabase host of the usual form that is nobody's. */
export const oldBackend = "abcdefghijklmnopqrst.supabase.co";

/** Generation 1 as Lovable leaves it, with as little in it as it is recognised by. */
export const spaTree: ProjectTree = {
  "package.json": packageJson("vite_react_shadcn_ts", { vite: "^5.4.1", "lovable-tagger": "^1.1.7" }),
  "package-lock.json": npmLock({ vite: "^5.4.1", "lovable-tagger": "^1.1.7" }),
  "vite.config.ts": `export default defineConfig({ plugins: [react()] });\n`,
  "index.html": `<div id="root"></div>\n`,
  "src/integrations/supabase/client.ts": `createClient(import.meta.env.VITE_SUPABASE_URL, import.meta.env["VITE_SUPABASE_PUBLISHABLE_KEY"]);\n`,
};

/** Generation 2 as Lovable leaves it. */
export const startTree: ProjectTree = {
  "package.json": startPackage("^2.8.5"),
  "bun.lock": `{ "workspaces": { "": { "dependencies": ${JSON.stringify(startDependencies("^2.8.5"))}, }, }, }`,
  "vite.config.ts": `import { defineConfig } from "@lovable.dev/vite-tanstack-config";\nexport default defineConfig({});\n`,
  "src/router.tsx": "export const getRouter = 1;\n",
  "src/lib/mail.server.ts": `const key = process.env.RESEND_API_KEY; const from = process.env["MAIL_FROM"] ?? "me"; process.env.PORT;\n`,
};

/** A package.json of generation 2 that wants Lovable's configuration in this range. */
export function startPackage(range: string): string {
  return packageJson("tanstack_start_ts", startDependencies(range));
}

function startDependencies(range: string): Record<string, string> {
  return { "@tanstack/react-start": "^1.167.50", "@lovable.dev/vite-tanstack-config": range };
}

/** A package.json with a build. */
export function packageJson(name: string, dependencies: Readonly<Record<string, string>>, more = {}): string {
  return JSON.stringify({ name, scripts: { build: "vite build" }, dependencies, ...more });
}

/** npm's lock file, as far as it says what package.json wants. */
export function npmLock(dependencies: Readonly<Record<string, string>>): string {
  return JSON.stringify({ lockfileVersion: 3, packages: { "": { dependencies } } });
}

/** An unsigned token of Supabase's form. */
export function supabaseKey(role: "anon" | "service_role"): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "HS256", typ: "JWT" })}.${part({ iss: "supabase", ref: "abcdefghijklmnopqrst", role })}.c2lnbmF0dXJlLXNpZ24`;
}

/** Writes a tree of files. */
export async function writeTree(folder: string, tree: ProjectTree): Promise<void> {
  for (const [name, text] of Object.entries(tree)) {
    if (text === undefined) continue;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
}
