import { withoutComments } from "./comments.ts";
import { rangeOf, type PackageFile } from "./package-file.ts";
import type { BuildShape } from "./lovable-project.ts";

/** The Vite configuration's possible names. */
export const viteConfigNames = ["vite.config.ts", "vite.config.mts", "vite.config.js", "vite.config.mjs"] as const;

/** What the build of generation 2 will make, as far as configuration and packages tell. */
export interface ExpectedBuild {
  readonly shape: BuildShape;
  readonly reason: string;
  readonly pinnedPreset: string | undefined;
}

/**
 * Tells the five forms apart in which generation 2 is built: Lovable's configuration 1.x (a worker for Cloudflare) and
 * 2.x (Nitro), and after leaving it `nitro()`, the Cloudflare plugin, or neither.
 *
 * @param text the configuration's; it is read, not run
 */
export function expectedBuild(text: string, manifest: PackageFile): ExpectedBuild {
  const code = withoutComments(text);
  const pinnedPreset = /\bpreset\s*:\s*["'`]([^"'`]+)["'`]/.exec(nitroSettings(code))?.[1];
  const lovable = rangeOf(manifest, "@lovable.dev/vite-tanstack-config");
  const expected = (shape: BuildShape, reason: string): ExpectedBuild => ({ shape, reason, pinnedPreset });
  if (/\bnitro\s*\(/.test(code)) return expected("nitro", "the Vite configuration has the plugin nitro()");
  if (lovable !== undefined && code.includes("@lovable.dev/vite-tanstack-config")) {
    const isOld = /^[\^~]?1\./.test(lovable);
    const name = `@lovable.dev/vite-tanstack-config is ${lovable}`;
    return isOld
      ? expected("fetch-handler", `${name}, which builds for Cloudflare`)
      : expected("nitro", `${name}, which builds with Nitro`);
  }
  if (code.includes("@cloudflare/vite-plugin")) return expected("fetch-handler", "built with the plugin of Cloudflare");
  return expected("fetch-handler", "the Vite configuration has no server to build for");
}

/** Folder that Vite builds a single-page app into, where the configuration names another than `dist`. */
export function outputFolder(text: string): string {
  return /\boutDir\s*:\s*["'`]([A-Za-z0-9._/-]+)["'`]/.exec(withoutComments(text))?.[1]?.replace(/^\.\//, "") ?? "dist";
}

/** What stands in `nitro: {…}` or in the brackets of a plugin such as `nitro(…)`: others have presets of their own. */
function nitroSettings(code: string): string {
  return [...code.matchAll(/\bnitro\w*\s*(?::\s*(?=\{)|(?=\())/gi)]
    .map(({ 0: name, index }) => bracketed(code.slice(index + name.length)))
    .join("\n");
}

/** From the bracket that a code begins with to the one that closes it. */
function bracketed(code: string): string {
  let depth = 0;
  for (const { 0: bracket, index } of code.matchAll(/[([{}\])]/g)) {
    depth += "([{".includes(bracket) ? 1 : -1;
    if (depth === 0) return code.slice(0, index);
  }
  return code;
}
