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
  // First, so that it is known of whatever is read after it.
  const namespace = await namespaceOf(pid);
  if (namespace === "") return { sightings: [], commandLine: "" };
  const [words, environment] = await Promise.all([textOf(pid, "cmdline"), textOf(pid, "environ")]);
  const commandLine = words.replaceAll("\0", " ").trim();
  const sightings = [
    ...sightingsIn("arguments", words, canaries),
    ...sightingsIn("environment", environment, canaries),
  ];
  if (sightings.length === 0) return { sightings, commandLine };
  const machine = namespace === here ? "builder's" : "server's";
  // The program alone may be any that Node runs.
  const program = commandLine.split(" ").slice(0, 2).join(" ");
  const where = (what: string): string => `${what} of the ${machine} process ${program}`;
  return { sightings: sightings.map((each) => ({ ...each, where: where(each.where) })), commandLine };
}

/** A process may end between the listing and the look at it. */
function textOf(pid: string, file: "cmdline" | "environ"): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, "latin1").catch(() => "");
}

/** Containers and lab machines have process namespaces of their own. Empty for a process that has ended. */
function namespaceOf(pid: string): Promise<string> {
  return readlink(`/proc/${pid}/ns/pid`).catch(() => "");
}
