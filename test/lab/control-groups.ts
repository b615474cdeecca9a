import { readdir, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { cgroupOf } from "./machine-disk.ts";
import { machineFolder } from "./machine-record.ts";
import { waitUntil } from "./wait-until.ts";

const listFolders = async (path: string): Promise<string[]> => {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  } catch {
    return [];
  }
};

const removeTree = async (path: string): Promise<void> => {
  for (const child of await listFolders(path)) await removeTree(child);
  // Busy until the kernel has buried the last process of the group.
  await waitUntil(`control group ${path} removed`, () => rmdir(path).then(() => true));
};

/** Removes the control groups of a machine without power; they outlive their processes. */
export const removeControlGroups = async (name: string): Promise<void> => {
  const root = "/sys/fs/cgroup";
  // One tree (version 2), or one per controller (version 1).
  const trees = [root, ...(await listFolders(root))];
  const containers = await listFolders(join(machineFolder(name), "disk/var/lib/docker/containers"));
  // An engine that a test installed with its own settings puts them under /docker.
  const ids = new Set(containers.map((folder) => folder.slice(folder.lastIndexOf("/") + 1)));
  for (const tree of trees) {
    const own = (await listFolders(tree)).filter((path) => path === join(tree, cgroupOf(name)));
    const docker = (await listFolders(join(tree, "docker"))).filter((path) => ids.has(path.slice(-64)));
    for (const path of [...own, ...docker]) await removeTree(path);
  }
};
