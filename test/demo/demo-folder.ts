import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "ikoma");

/** The one folder of the demo. Gone when nothing of the demo is up. */
export const demoFolder = join(cache, "demo");

/** The user's project: Pulumi.yaml, the stacks' files, and the state. */
export const projectFolder = join(demoFolder, "project");

/** All that the load saw, for whoever wants to know more than the table says. */
export const loadReportFile = join(demoFolder, "load-report.json");

/** Names the registry's process where a demo started it, so that a demo also ends it. */
export const registryMark = join(demoFolder, "registry-process.json");

/** The lab's machine that plays the server. */
export const machineName = "shop-demo";
