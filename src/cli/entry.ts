#!/usr/bin/env node
/**
 * The executable. It does two things before anything large is loaded: it switches the compile cache on (a warm
 * one halves the start of the rest), and it answers `--version`.
 */
import { mkdirSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { homedir } from "node:os";
import { join } from "node:path";
import { cliVersion } from "./version.ts";

const oldestNodeMajor = 24;

function switchCompileCacheOn(): void {
  // Not the default, a folder under /tmp that every user of the machine could fill with code of theirs.
  const { XDG_CACHE_HOME: named = "" } = process.env;
  const cache = named === "" ? join(homedir(), ".cache") : named;
  const folder = join(cache, "ikoma", "compile");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    enableCompileCache(folder);
  } catch {
    // A home without write access costs the speed, not the command.
  }
}

const [first, ...others] = process.argv.slice(2);
if (first === "--version" && others.length === 0) {
  process.stdout.write(`${cliVersion}\n`);
} else if (Number(process.versions.node.split(".")[0]) < oldestNodeMajor) {
  process.stderr.write(`error: ikoma needs Node.js ${oldestNodeMajor} or newer; this is ${process.versions.node}.\n`);
  process.exitCode = 1;
} else {
  switchCompileCacheOn();
  const { main } = await import("./main.ts");
  const exitCode = await main(process.argv.slice(2));
  // Not left to an empty event loop: a connection that hangs must not keep a finished command alive.
  process.exit(exitCode);
}
