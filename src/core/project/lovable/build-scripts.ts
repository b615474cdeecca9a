/**
 * Programs that run inside the build, in plain JavaScript without single quotes (they stand in a Dockerfile). What
 * they refuse they say in lines that begin with `ikoma: `.
 */

/** srvx serves what is built without Nitro: it makes a server of an exported `fetch`. */
export const srvxVersion = "1.0.8";

/**
 * Looks through what was built for backends that were not meant and for secrets. Arguments: the folders. In the
 * environment, the `VITE_*` values and `BACKENDS` name the hosts that are meant.
 */
export const checkScript = `const { readdirSync, readFileSync, statSync } = require("node:fs");
const { extname, join } = require("node:path");
const host = /\\b[a-z0-9]{20}\\.supabase\\.(?:co|in|red)\\b/g;
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

/** Puts what generation 2 has built under `/out`, with `start.mjs`, whichever of its forms it has; refuses the others. */
export const placeScript = `const { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } = require("node:fs");
const refuse = (why) => { console.error("ikoma: " + why); process.exit(1); };
const preset = (path) => JSON.parse(readFileSync(path, "utf8")).preset;
const other = [".vercel/output/nitro.json", ".netlify/nitro.json", "dist/nitro.json"].find((path) => existsSync(path));
mkdirSync("/out", { recursive: true });
if (existsSync(".output/nitro.json")) {
  const made = preset(".output/nitro.json");
  if (!/^node[-_]?(server)?$/.test(made)) refuse("Nitro built for " + made + ", not for node-server");
  cpSync(".output", "/out", { recursive: true });
  writeFileSync("/out/start.mjs", "import \\"./server/index.mjs\\";\\n");
} else if (other) {
  refuse("Nitro built for " + preset(other) + ", not for node-server: the Vite configuration pins it");
} else {
  const entry = ["dist/server/index.js", "dist/server/server.js", "dist/server/index.mjs", "dist/server/server.mjs"].find((path) => existsSync(path));
  if (!entry) refuse("the build made neither .output nor dist/server");
  const code = readdirSync("dist/server", { recursive: true }).filter((name) => /[.]m?js$/.test(name)).map((name) => readFileSync("dist/server/" + name, "utf8")).join("\\n");
  if (/from *"cloudflare:|import *[(]? *"cloudflare:/.test(code)) refuse("the server code uses what only Cloudflare has (cloudflare:…)");
  const isWhole = !/(?:from|import) *[(]? *"(?![.\\/]|node:)[@a-z][^":]*"/.test(code);
  cpSync("dist", "/out/dist", { recursive: true });
  if (!isWhole) cpSync("node_modules", "/out/node_modules", { recursive: true, verbatimSymlinks: true });
  cpSync("/srvx/node_modules/srvx", "/out/node_modules/srvx", { recursive: true });
  cpSync("/srvx/start.mjs", "/out/start.mjs");
  writeFileSync("/out/entry.mjs", "export { default } from \\"./" + entry + "\\";\\n");
}`;

/** Serves an exported \`fetch\` and the files beside it; they have a hash in their name under /assets/. */
export const adapterScript = `import { serve } from "srvx";
import { serveStatic } from "srvx/static";
import app from "./entry.mjs";
const files = serveStatic({ dir: "dist/client" });
const middleware = async (request, next) => {
  const answer = await files(request, next);
  if (answer.ok && new URL(request.url).pathname.startsWith("/assets/")) answer.headers.set("cache-control", "public, max-age=31536000, immutable");
  return answer;
};
const context = { waitUntil: (work) => void Promise.resolve(work).catch(console.error), passThroughOnException: () => {} };
serve({ port: process.env.PORT ?? 3000, middleware: [middleware], fetch: (request) => app.fetch(request, process.env, context) });`;
