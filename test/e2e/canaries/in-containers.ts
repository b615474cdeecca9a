import * as z from "zod";
import type { Vps } from "../../lab/index.ts";
import { sightingsIn } from "./canary.ts";
import type { Canary, Sighting } from "./canary.ts";

const inspected = z.array(z.looseObject({ Id: z.string(), Name: z.string() }));

/** The containers of a machine: what the engine tells of them, and where it keeps what they wrote. */
export interface ContainersSeen {
  readonly sightings: Sighting[];
  /** Folders with what each has written into its own file system. */
  readonly layers: string[];
  /** A path with ids of containers as their names. */
  readonly named: (path: string) => string;
}

/** Looks through all that `docker inspect` tells of every container, those that are stopped included. */
export async function inspectContainers(vps: Vps, canaries: readonly Canary[]): Promise<ContainersSeen> {
  const { stdout } = await vps.exec("docker inspect $(docker ps --all --quiet)");
  const containers = inspected.parse(JSON.parse(stdout));
  const names = new Map(containers.map(({ Id, Name }) => [Id, Name.slice(1)]));
  const sightings = containers.flatMap((each) =>
    textsOf(each).flatMap(([path, text]) =>
      sightingsIn(`${path} of the container ${each.Name.slice(1)}`, text, canaries),
    ),
  );
  const layers = containers.flatMap((each) =>
    textsOf(each).flatMap(([path, text]) => (path === "GraphDriver.Data.UpperDir" ? [text] : [])),
  );
  return { sightings, layers, named: (path) => path.replace(/[0-9a-f]{64}/g, (id) => names.get(id) ?? id) };
}

/** Every text in a tree, by where it is; items of a list by that of the list. */
function textsOf(tree: unknown, path: readonly string[] = []): [string, string][] {
  if (typeof tree === "string") return [[path.join("."), tree]];
  if (Array.isArray(tree)) return tree.flatMap((item) => textsOf(item, path));
  if (typeof tree !== "object" || tree === null) return [];
  return Object.entries(tree).flatMap(([key, value]) => textsOf(value, [...path, key]));
}
