import { readdir, readFile, readlink } from "node:fs/promises";
import { sightingsIn } from "./canary.ts";
import type { Canary, Sighting } from "./canary.ts";

/** What was seen of the processes while something ran. */
export interface ProcessesSeen {
  readonly sightings: Sighting[];
  /** Every command line, its words separated by blanks: shows that somebody looked. */
  readonly commandLines: ReadonlySet<string>;
}

/**
 * Looks again and again at the arguments and the environment of every process, until `isOver`: those on the server
 * too, since the lab's machines share this one's kernel.
 */
export async function watchProcesses(isOver: () => boolean, canaries: readonly Canary[]): Promise<ProcessesSeen> {
  const here = await namespaceOf("self");
  const sightings: Sighting[] = [];
  const commandLines = new Set<string>();
  while (!isOver()) {
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    for (const seen of await Promise.all(pids.map((pid) => look(pid, here, canaries)))) {
      sightings.push(...seen.sightings);
      commandLines.add(seen.commandLine);
    }
  }
  return { sightings, commandLines };
}

async function look(
  pid: string,
  here: string,
  canaries: readonly Canary[],
): Promise<{ sightings: Sighting[]; commandLine: string }> {
  const before = await ownerOf(pid, here);
  const [words, environment] = await Promise.all([textOf(pid, "cmdline"), textOf(pid, "environ")]);
  const commandLine = words.replaceAll("\0", " ").trim();
  const sightings = [
    ...sightingsIn("arguments", words, canaries),
    ...sightingsIn("environment", environment, canaries),
  ];
  if (sightings.length === 0) return { sightings, commandLine };
  // What becomes a container's is the engine's before, and what has ended is in no group any more.
  const owners = [await ownerOf(pid, here), before].filter((each) => each !== undefined);
  const owner = owners.find((each) => each.startsWith("the container")) ?? owners[0] ?? "somebody";
  return {
    sightings: sightings.map((each) => ({ ...each, where: `${each.where} of a process of ${owner}` })),
    commandLine,
  };
}

/** A process may end between the listing and the look at it. */
function textOf(pid: string, file: "cmdline" | "environ" | "cgroup"): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "");
}

/**
 * By its control group a container of the engine, with its id; by its process namespace a machine of the lab. Undefined
 * for a process that has ended.
 */
async function ownerOf(pid: string, here: string): Promise<string | undefined> {
  const [groups, namespace] = await Promise.all([textOf(pid, "cgroup"), namespaceOf(pid)]);
  const container = /[/-]([0-9a-f]{64})(\.scope)?$/m.exec(groups)?.[1];
  if (container !== undefined) return `the container ${container}`;
  if (namespace === "") return undefined;
  return namespace === here ? "the builder" : "the server";
}

function namespaceOf(pid: string): Promise<string> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => "");
}
