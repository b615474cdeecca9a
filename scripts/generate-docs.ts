// Writes the pages that are made from the code; with `--check` only says which of them are stale.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { generatedPages } from "./docs/pages.ts";

const root = join(import.meta.dirname, "..");
const isCheck = process.argv.includes("--check");
const stale: string[] = [];
for (const [path, text] of await generatedPages()) {
  const file = join(root, path);
  if ((await readFile(file, "utf8").catch(() => "")) === text) continue;
  stale.push(path);
  if (isCheck) continue;
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
if (stale.length > 0) console.log(`${isCheck ? "stale" : "written"}: ${stale.join(", ")}`);
if (isCheck && stale.length > 0) {
  console.log("Run `node scripts/generate-docs.ts` and commit what it writes.");
  process.exitCode = 1;
}
