import { cp, mkdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { checkout, isBuilt, runBuild } from "../fixture/build.ts";

const dist = join(checkout, "dist");

/** Folders with one command each, to be put on a PATH or left out of it. */
export interface InstalledCommands {
  /** Holds `ikoma`. */
  readonly cli: string;
  /** Holds `pulumi-resource-ikoma`. */
  readonly plugin: string;
}

/**
 * Bundles the command line and the provider's plugin as the checkout has them, unless that was done for the whole run,
 * and installs them below `folder`: what runs is what a user runs, and nobody who builds again in the middle of a test changes it.
 */
export async function installCommands(folder: string): Promise<InstalledCommands> {
  if (!isBuilt()) await runBuild("cli", "provider", "program");
  const commands = { cli: join(folder, "cli"), plugin: join(folder, "plugin") };
  const files = {
    cli: ["ikoma", "ikoma.mjs", "chunks", "program.mjs"],
    plugin: ["pulumi-resource-ikoma", "provider.mjs"],
  };
  await Promise.all([...copies(files.cli, commands.cli), ...copies(files.plugin, commands.plugin)]);
  await symlink(join(checkout, "node_modules"), join(folder, "node_modules"));
  return commands;
}

function copies(names: readonly string[], target: string): Promise<void>[] {
  return names.map(async (name) => {
    await mkdir(dirname(join(target, name)), { recursive: true });
    await cp(join(dist, name), join(target, name), { recursive: true });
  });
}
