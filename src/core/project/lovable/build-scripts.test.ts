import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { oldBackend, supabaseKey, writeTree, type ProjectTree } from "../../../../test/rigs/lovable-project.ts";
import { adapterScript, checkScript, placeScript } from "./build-scripts.ts";

let folder = "";
let out = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-scripts-"));
  out = join(folder, "out");
  await mkdir(join(folder, "app"));
});

afterEach(() => rm(folder, { recursive: true }));

/** Runs a script as the build does, and gives what it refused. */
async function refusals(script: string, tree: ProjectTree, args: string[], env = {}): Promise<string> {
  const cwd = join(folder, "app");
  await writeTree(cwd, tree);
  await writeFile(join(folder, "script.cjs"), script);
  return new Promise((resolve) => {
    const words = [join(folder, "script.cjs"), ...args];
    execFile(process.execPath, words, { cwd, env: { PATH: process.env.PATH, ...env } }, (error, _, stderr) => {
      resolve(error === null && stderr === "" ? "" : stderr);
    });
  });
}

const check = (tree: ProjectTree, env = {}): Promise<string> => refusals(checkScript, tree, ["dist"], env);
const place = (tree: ProjectTree): Promise<string> => refusals(placeScript, tree, [out, join(folder, "srvx")]);

test("a backend in what was built is refused unless a value or somebody names it", async () => {
  const tree = { "dist/assets/index.js": `fetch("https://${oldBackend}/rest")`, "dist/index.html": "<html>" };
  expect(await check(tree)).toBe(
    `ikoma: the backend ${oldBackend} is in dist/assets/index.js, and nobody said that it is meant\n`,
  );
  expect(await check(tree, { BACKENDS: `x ${oldBackend}` })).toBe("");
  expect(await check(tree, { VITE_SUPABASE_URL: `https://${oldBackend}` })).toBe("");
  expect(await check({ "dist/a.js": `"your-project.supabase.co"` }, { BACKENDS: oldBackend })).toBe("");
});

test("secrets in what was built are refused; the anon key and the code that tells keys apart are not", async () => {
  expect(await check({ "dist/a.js": `k="${supabaseKey("service_role")}"` })).toBe(
    "ikoma: a service_role key is in dist/a.js\n",
  );
  expect(await check({ "dist/a.js": `k="sb_secret_abcdefghijklmnopqrst"` })).toBe(
    "ikoma: a secret key of Supabase is in dist/a.js\n",
  );
  expect(await check({ "dist/a.js": `k.startsWith("sb_secret_"); k="${supabaseKey("anon")}"` })).toBe("");
});

test("Nitro's output for Node.js is taken as it is; for anything else it is refused", async () => {
  const tree = {
    ".output/nitro.json": `{"preset":"node-server"}`,
    ".output/server/index.mjs": "",
    ".output/public/a.txt": "",
  };
  expect(await place(tree)).toBe("");
  expect((await readdir(out)).sort()).toEqual(["nitro.json", "public", "server", "start.mjs"]);
  expect(await place({ ".output/nitro.json": `{"preset":"cloudflare-module"}` })).toBe(
    "ikoma: Nitro built for cloudflare-module, not for node-server\n",
  );
});

test("another folder of Nitro is found too", async () => {
  expect(await place({ ".vercel/output/nitro.json": `{"preset":"vercel"}` })).toBe(
    "ikoma: Nitro built for vercel, not for node-server\n",
  );
});

test("a handler gets srvx beside it, and of the packages only those that it needs", async () => {
  await writeTree(join(folder, "srvx"), { "node_modules/srvx/package.json": "{}", "start.mjs": adapterScript });
  const handler = `import "react"; import { readFile } from "fs"; db.from("rooms"); import("@a/b/deep"); import "./x.js";`;
  expect(
    await place({
      "dist/server/server.js": handler,
      "dist/client/assets/a.js": "",
      "node_modules/react/package.json": `{"dependencies":{"loose":"1","absent":"1"}}`,
      "node_modules/loose/package.json": "{}",
      "node_modules/@a/b/package.json": "{}",
      "node_modules/vite/package.json": "{}",
    }),
  ).toBe("");
  expect((await readdir(join(out, "node_modules"))).sort()).toEqual(["@a", "loose", "react", "srvx"]);
  expect(await readFile(join(out, "entry.mjs"), "utf8")).toContain(`from "./dist/server/server.js"`);
});

test("what needs Cloudflare, what was not foreseen, and what made nothing are refused", async () => {
  expect(await place({ "package.json": "{}" })).toBe("ikoma: the build made neither .output nor dist/server\n");
  expect(await place({ "dist/server/index.js": "export default {}" })).toContain("ikoma: it was built without Nitro");
  await writeTree(join(folder, "srvx"), { "start.mjs": "" });
  expect(await place({ "dist/server/index.js": `import { env } from "cloudflare:workers";` })).toContain(
    "what only Cloudflare has",
  );
});

test("none of the scripts has a quote that would end its line in the Dockerfile", () => {
  for (const script of [adapterScript, checkScript, placeScript]) expect(script).not.toMatch(/'|^\s*#|\\$/m);
});
