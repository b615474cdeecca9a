import { supabaseHost } from "./public-value.ts";

/**
 * Programs that run inside the build, in plain JavaScript without single quotes (they stand in a Dockerfile). What
 * they refuse they say in lines that begin with `ikoma: `.
 */

/** srvx serves what is built without Nitro: it makes a server of an exported `fetch`. */
export const srvxVersion = "1.0.8";

/** Nitro's names for a server of Node.js. */
export const nodePreset = /^node[-_]?(server)?$/;

/**
 * Looks through what was built for backends that were not meant and for secrets. Arguments: the folders. In the
 * environment, the `VITE_*` values and `BACKENDS` name the hosts that are meant.
 */
export const checkScript = `const { readdirSync, readFileSync, statSync } = require("node:fs");
const { extname, join } = require("node:path");
const host = /${supabaseHost.source}/g;
const meant = new Set(Object.entries(process.env).flatMap(([name, value]) => name === "BACKENDS" || name.startsWith("VITE_") ? value.match(host) ?? [] : []));
const files = (path) => statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => files(join(path, name))) : [path];
const role = (token) => { try { return JSON.parse(Buffer.from(token.split(".")[1], "base64url")).role; } catch { return ""; } };
const found = new Set();
for (const file of process.argv.slice(2).flatMap(files)) {
  if (![".js", ".mjs", ".cjs", ".html", ".css", ".json"].includes(extname(file))) continue;
  const text = readFileSync(file, "utf8");
  for (const name of text.match(host) ?? []) if (!meant.has(name)) found.add("the backend " + name + " is in " + file + ", and nobody said that it is meant");
  for (const token of text.match(/\\bey[\\w-]{10,}\\.ey[\\w-]{10,}\\.[\\w-]{10,}/g) ?? []) if (role(token) === "service_role") found.add("a service_role key is in " + file);
  if (/\\bsb_secret_[A-Za-z0-9_-]{16,}/.test(text)) found.add("a secret key of Supabase is in " + file);
}
for (const line of found) console.error("ikoma: " + line);
process.exit(found.size > 0 ? 1 : 0);`;

/**
 * Puts what generation 2 has built into one folder, with `start.mjs`, whichever of its forms it has; refuses the others.
 * Arguments: that folder, and the one that holds srvx.
 */
export const placeScript = `const { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } = require("node:fs");
const { isBuiltin } = require("node:module");
const { dirname, join, relative, resolve } = require("node:path");
const [out, srvx] = process.argv.slice(2).map((path) => resolve(path));
const refuse = (why) => { console.error("ikoma: " + why); process.exit(1); };
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const copy = (path) => cpSync(path, join(out, relative(".", path)), { recursive: true, verbatimSymlinks: true });
const copied = new Set();
const takePackage = (name, from) => {
  for (let at = from; at.startsWith(process.cwd()); at = dirname(at)) {
    const path = join(at, "node_modules", name);
    if (!existsSync(join(path, "package.json"))) continue;
    if (copied.has(path)) return;
    copied.add(path);
    copy(path);
    const { dependencies, optionalDependencies, peerDependencies } = read(join(path, "package.json"));
    for (const next of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) takePackage(next, path);
    return;
  }
};
const placeHandler = (entry) => {
  if (!existsSync(srvx)) refuse("it was built without Nitro, which its configuration did not show: write a Dockerfile for it");
  const files = readdirSync("dist/server", { recursive: true }).filter((name) => /[.]m?js$/.test(name));
  const code = files.map((name) => readFileSync(join("dist/server", name), "utf8")).join("\\n");
  const imported = [...code.matchAll(/\\b(?:from|import) *"([^".][^"]*)"|\\bimport\\("([^".][^"]*)"\\)/g)].map((match) => match[1] ?? match[2]);
  if (imported.some((name) => name.startsWith("cloudflare:"))) refuse("the server code uses what only Cloudflare has (cloudflare:…)");
  const packages = imported.filter((name) => !isBuiltin(name)).map((name) => /^(@[^/]+[/])?[^/]+/.exec(name)[0]);
  copy("dist");
  if (packages.length > 0 && existsSync("node_modules/.bun")) copy("node_modules");
  else for (const name of packages) takePackage(name, process.cwd());
  cpSync(join(srvx, "node_modules/srvx"), join(out, "node_modules/srvx"), { recursive: true });
  cpSync(join(srvx, "start.mjs"), join(out, "start.mjs"));
  writeFileSync(join(out, "entry.mjs"), "export { default } from \\"./" + entry + "\\";\\n");
};
const find = (paths) => paths.find((path) => existsSync(path));
const made = find([".output/nitro.json", ".vercel/output/nitro.json", ".netlify/nitro.json", "dist/nitro.json"]);
const entry = find(["dist/server/index.js", "dist/server/server.js", "dist/server/index.mjs", "dist/server/server.mjs"]);
if (made && !/${nodePreset.source}/.test(read(made).preset)) refuse("Nitro built for " + read(made).preset + ", not for node-server");
if (!made && !entry) refuse("the build made neither .output nor dist/server");
mkdirSync(out, { recursive: true });
if (made) {
  cpSync(dirname(made), out, { recursive: true, verbatimSymlinks: true });
  writeFileSync(join(out, "start.mjs"), "import \\"./server/index.mjs\\";\\n");
} else placeHandler(entry);`;

/**
 * Serves an exported `fetch` and the files beside it; they have a hash in their name under /assets/. A build for
 * Cloudflare puts a `process` of its own in place of Node's, which hears no signal: it is put back.
 */
export const adapterScript = `import process from "node:process";
import { serve } from "srvx";
import { staticMiddleware } from "srvx/static";
import app from "./entry.mjs";
globalThis.process = process;
const files = staticMiddleware({ dir: "dist/client" });
const hashed = staticMiddleware({ dir: "dist/client", maxAge: 31536000, immutable: true });
const middleware = (request, next) => (new URL(request.url).pathname.startsWith("/assets/") ? hashed : files)(request, next);
const context = { waitUntil: (work) => void Promise.resolve(work).catch(console.error), passThroughOnException: () => {} };
serve({ port: process.env.PORT ?? 3000, middleware: [middleware], fetch: (request) => app.fetch(request, process.env, context) });`;
