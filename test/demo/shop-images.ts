import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { pushToRegistry } from "../lab/index.ts";
import { runTool, runToolChecked } from "./run-tool.ts";

/**
 * The versions of the demo; v3 starts well and is healthy, but fails its smoke check; v4 passes every check and goes bad
 * with its visitors.
 */
export const shopVersions = ["v1", "v2", "v3", "v4"] as const;
export type ShopVersion = (typeof shopVersions)[number];

/** The app as its author keeps it. */
export const shopFolder = join(import.meta.dirname, "..", "..", "examples", "lovable-shop");

const baseImage = "node:24-bookworm-slim";
const contentLabel = "ikoma.content";
const notInTheImage = new Set(["node_modules", "dist", ".output", ".nitro", ".tanstack", ".wrangler", ".git"]);

/** Where a network has a certificate authority or a mirror of its own, npm inside the build needs them; elsewhere they change nothing. */
const buildSecrets = { ca: "/etc/ssl/certs/ca-certificates.crt", npmrc: join(homedir(), ".npmrc") };

/** Builds the image of a version, unless it is there and nothing changed. Returns its local tag, and whether it was built. */
export async function buildShop(version: ShopVersion, signal: AbortSignal): Promise<{ tag: string; isBuilt: boolean }> {
  const tag = `ikoma-demo/shop:${version}`;
  const content = await contentOf(version, signal);
  const format = `{{index .Config.Labels "${contentLabel}"}}`;
  const present = await runTool({ file: "docker", args: ["image", "inspect", "--format", format, tag], signal });
  if (present.stdout.trim() === content) return { tag, isBuilt: false };
  const secrets = Object.entries(buildSecrets).filter(([, path]) => existsSync(path));
  const args = [
    ...["build", "--quiet", "--tag", tag, "--label", `${contentLabel}=${content}`],
    ...["--build-arg", `APP_VERSION=${version}`, "--build-arg", `SHOP_BREAK=${breakageOf(version)}`],
    ...secrets.flatMap(([id, path]) => ["--secret", `id=${id},src=${path}`]),
    shopFolder,
  ];
  await runToolChecked({ file: "docker", args, env: { ...process.env, DOCKER_BUILDKIT: "1" }, signal });
  return { tag, isBuilt: true };
}

/** Pushes the image of a version to the lab's registry. Returns its reference by digest. */
export function pushShop(version: ShopVersion, tag: string): Promise<string> {
  return pushToRegistry(tag, `demo/shop:${version}`);
}

function breakageOf(version: ShopVersion): string {
  const breakages: Partial<Record<ShopVersion, string>> = { v3: "smoke", v4: "orders" };
  return breakages[version] ?? "";
}

/** Changes with everything that goes into the image. */
async function contentOf(version: ShopVersion, signal: AbortSignal): Promise<string> {
  const base = await runToolChecked({
    file: "docker",
    args: ["image", "inspect", "--format", "{{.Id}}", baseImage],
    signal,
  });
  const hash = createHash("sha256").update(`${base}\n${version}\n${breakageOf(version)}\n`);
  for (const path of await filesOf(shopFolder)) {
    hash.update(`${relative(shopFolder, path)}\n`).update(await readFile(path));
  }
  return hash.digest("hex").slice(0, 16);
}

async function filesOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const inTheImage = entries.filter((entry) => !notInTheImage.has(entry.name));
  const files = inTheImage.filter((entry) => !entry.isDirectory()).map((entry) => join(folder, entry.name));
  const nested = await Promise.all(
    inTheImage.filter((entry) => entry.isDirectory()).map((entry) => filesOf(join(folder, entry.name))),
  );
  return [...files, ...nested.flat()].sort();
}
