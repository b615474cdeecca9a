import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "ikoma");

/** Where `scripts/setup` links the tools that it installed. */
export const toolsFolder = join(cache, "tools", "bin");

/** Prepared root file systems and registry contents: may be deleted at any time when no machine runs. */
export const preparedFolder = join(cache, "lab", "prepared");

/** One folder per machine that exists: its disk, its keys, its record. */
export const machinesFolder = join(cache, "lab", "machines");

/** One file per subnet number in use, so that two processes never choose the same. */
export const subnetsFolder = join(cache, "lab", "subnets");

/** What processes that use the lab at the same time wait for. */
export const locksFolder = join(cache, "lab", "locks");

/** The lab's registry while it runs. */
export const registryFolder = join(cache, "lab", "registry");

/** The lab's folder beside this file. */
export const sourceFolder = import.meta.dirname;
