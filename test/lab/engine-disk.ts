import { createHash } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { preparedFolder } from "./lab-folders.ts";
import { machineFolder } from "./machine-record.ts";
import { runChecked, runCommand } from "./run-command.ts";

const engineFolder = "disk/var/lib/docker";

// Layers are only ever read or removed, so links will do for them; databases beside them are written in place.
const linkEngine = `
  cd "$1"
  for entry in *; do
    if [ "$entry" = overlay2 ]; then cp -al "$entry" "$2/"; else cp -a "$entry" "$2/"; fi
  done
`;

/** Names the prepared folder by what is in it; a tag counts by the image that this host has under it. */
export const preparedEngineFolder = async (rootFileSystem: string, references: readonly string[]): Promise<string> => {
  const hash = createHash("sha256").update(basename(rootFileSystem));
  for (const reference of [...references].sort()) {
    const { stdout } = await runCommand("docker", ["image", "inspect", "--format", "{{.Id}}", reference]);
    hash.update(`\n${reference} ${stdout}`);
  }
  return join(preparedFolder, `engine-${hash.digest("hex").slice(0, 16)}`);
};

/** Whether {@link saveEngine} has made this folder already. */
export const hasPreparedEngine = async (folder: string): Promise<boolean> => {
  await mkdir(preparedFolder, { recursive: true });
  return (await readdir(preparedFolder)).includes(basename(folder));
};

/** Keeps what the engine of a machine without power has pulled. */
export const saveEngine = async (name: string, folder: string): Promise<void> => {
  const partial = `${folder}.partial-${performance.timeOrigin}`;
  await runChecked("cp", ["--archive", "--no-target-directory", join(machineFolder(name), engineFolder), partial]);
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
};

/** Gives a machine that has not started yet the engine's data from {@link saveEngine}. */
export const restoreEngine = async (name: string, folder: string): Promise<void> => {
  const target = join(machineFolder(name), engineFolder);
  await mkdir(target, { recursive: true, mode: 0o710 });
  await runChecked("bash", ["-euc", linkEngine, "restore", folder, target]);
};
