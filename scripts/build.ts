/**
 * Bundles what is run outside the checkout's sources into dist/: `node scripts/build.ts [cli|agent|api|provider|program|all]…`
 *
 *   agent     dist/agent.mjs, one file for the agent's image
 *   api       dist/api.mjs, one file for the API's image
 *   cli       dist/ikoma.mjs (small entry, split chunks) and the launcher dist/ikoma
 *   provider  dist/provider.mjs and the plugin's executable dist/pulumi-resource-ikoma
 *   program   dist/program.mjs, what plain `pulumi` runs; `ikoma init` links it into a project
 */
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { build, type BuildOptions, type OutputFile, type Plugin } from "esbuild";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");

/** CommonJS packages inside an ESM bundle expect these three; the last two under names that no module declares itself. */
const commonJsBanner = [
  `import { createRequire as ikomaCreateRequire } from "node:module";`,
  `const require = ikomaCreateRequire(import.meta.url);`,
  `const ikomaFilename = import.meta.filename;`,
  `const ikomaDirname = import.meta.dirname;`,
].join("");

const shared: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  banner: { js: commonJsBanner },
  define: { __filename: "ikomaFilename", __dirname: "ikomaDirname" },
  // Names in stack traces stay; a warm compile cache makes the size of the text unimportant.
  minifySyntax: true,
  legalComments: "none",
  logLevel: "warning",
  write: false,
  // Optional native parts of ssh2, required inside try/catch.
  external: ["*.node", "cpu-features", "pg-native"],
};

/**
 * Node's modules of the network are required where they are first used. An import loads them at the start and reads
 * every export: of `node:http` also `WebSocket`, which brings a whole fetch client (5 MiB).
 */
const builtinsWhenUsed: Plugin = {
  name: "builtins-when-used",
  setup(bundle) {
    bundle.onResolve({ filter: /^node:(http|https|tls)$/ }, ({ path, namespace }) =>
      namespace === "builtin" ? { path, external: true } : { path, namespace: "builtin" },
    );
    bundle.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** One copy of the SDK and of gRPC, that of node_modules: the SDK reads files beside itself and compares classes. */
const sdkPackages = ["@pulumi/*", "@grpc/grpc-js", "google-protobuf"];

/** It reads its WebAssembly beside itself. */
const wasmPackages = ["libpg-query"];

interface Target {
  readonly options: BuildOptions;
  /** Shell scripts made beside the bundle: name in dist/ → bundle that it starts. */
  readonly launchers: Readonly<Record<string, string>>;
}

const targets = {
  agent: {
    options: {
      entryPoints: { agent: "src/agent/main.ts" },
      plugins: [builtinsWhenUsed],
      // Node keeps the text in memory, and with one letter that is not ASCII in a comment, at twice its size.
      minifyWhitespace: true,
      // A stack trace quotes the whole line.
      lineLimit: 160,
    },
    launchers: {},
  },
  api: { options: { entryPoints: { api: "src/api/main.ts" } }, launchers: {} },
  cli: {
    options: {
      entryPoints: { ikoma: "src/cli/entry.ts" },
      splitting: true,
      chunkNames: "chunks/[name]-[hash]",
      external: [...(shared.external ?? []), ...sdkPackages, ...wasmPackages],
    },
    launchers: { ikoma: "ikoma.mjs" },
  },
  provider: {
    options: {
      entryPoints: { provider: "src/provider/main.ts" },
      external: [...(shared.external ?? []), ...sdkPackages],
    },
    launchers: { "pulumi-resource-ikoma": "provider.mjs" },
  },
  program: {
    options: {
      entryPoints: { program: "stacks/index.ts" },
      external: [...(shared.external ?? []), ...sdkPackages],
    },
    launchers: {},
  },
} satisfies Record<string, Target>;

type TargetName = keyof typeof targets;
const targetNames = Object.keys(targets) as TargetName[];

async function buildTarget(name: TargetName): Promise<void> {
  const startedMs = performance.now();
  const target: Target = targets[name];
  const { outputFiles = [] } = await build({ ...shared, ...target.options });
  for (const file of outputFiles) await writeWhole(file.path, file.contents);
  for (const [launcher, bundle] of Object.entries(target.launchers)) {
    await writeWhole(join(dist, launcher), launcherScript(bundle), 0o755);
  }
  if (target.options.splitting === true) await removeOldChunks(outputFiles);
  const bytes = outputFiles.reduce((sum, file) => sum + file.contents.byteLength, 0);
  const elapsedMs = Math.round(performance.now() - startedMs);
  console.log(
    `${name.padEnd(9)} ${String(outputFiles.length).padStart(3)} files ${Math.round(bytes / 1024)} kB ${elapsedMs} ms`,
  );
}

/** By rename, so that whoever starts or copies the file meanwhile gets the old one or the new one, never half. */
async function writeWhole(path: string, contents: string | Uint8Array, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, contents, { mode });
  await rename(partial, path);
}

async function removeOldChunks(current: readonly OutputFile[]): Promise<void> {
  const folder = join(dist, "chunks");
  const kept = new Set(current.map((file) => relative(folder, file.path)));
  for (const name of await readdir(folder).catch(() => [])) {
    if (!kept.has(name)) await rm(join(folder, name), { force: true });
  }
}

/** Follows symbolic links to itself, as npm and people make them into folders of PATH. */
function launcherScript(bundle: string): string {
  return `#!/bin/sh
self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in /*) self=$link ;; *) self=$(dirname "$self")/$link ;; esac
done
exec node "$(dirname "$self")/${bundle}" "$@"
`;
}

const { positionals } = parseArgs({ allowPositionals: true });
const wanted = positionals.length === 0 || positionals.includes("all") ? targetNames : positionals;
for (const name of wanted) {
  const target = targetNames.find((each) => each === name);
  if (target === undefined) {
    console.error(`error: unknown target ${name}; there are: ${targetNames.join(", ")}, all`);
    process.exit(2);
  }
  await buildTarget(target);
}
