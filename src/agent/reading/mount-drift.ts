import { posix } from "node:path";
import * as z from "zod";
import type { Container, MountPoint } from "../engine/containers.ts";
import type { Image } from "../engine/images.ts";
import type { Drift } from "../protocol/views.ts";
import type { WantedContainer } from "./container-drift.ts";

/** The mounts of a service as compose has them in the long form. */
export const composeMounts = z
  .array(
    z.object({
      type: z.string(),
      source: z.string().optional(),
      target: z.string(),
      read_only: z.boolean().nullish(),
    }),
  )
  .nullish();

interface WantedMount {
  /** A volume's name on the host, or a path of it; undefined for a volume without a name. */
  source: string | undefined;
  readOnly: boolean;
}

/** What a container keeps its data in. `path` is the list: which entry of it differs is in the message. */
export function mountDrift(
  { service, volumes, files }: Pick<WantedContainer, "service" | "volumes" | "files">,
  container: Container,
  image: Image | undefined,
): Drift[] {
  const parsed = composeMounts.safeParse(service["volumes"]);
  // The short form is compose's to read; a bundle never has it.
  if (!parsed.success) return [];
  const wanted = new Map(
    (parsed.data ?? [])
      .filter(({ type, target }) => isKept(type) && !files.has(target))
      .map(({ type, source, target, read_only: readOnly }): [string, WantedMount] => {
        return [withoutSlash(target), { source: sourceOnHost(type, source, volumes), readOnly: readOnly === true }];
      }),
  );
  const found = container.Mounts.filter(({ Type, Destination }) => isKept(Type) && !files.has(Destination));
  const lacking = [...wanted].flatMap(([target, mount]) =>
    lackingMount(
      target,
      mount,
      found.find((each) => withoutSlash(each.Destination) === target),
    ),
  );
  const added = found.filter((each) => !wanted.has(withoutSlash(each.Destination)) && !isOfImage(each, image));
  return [
    ...lacking,
    ...added.map((each) => ({
      path: "volumes",
      message: `${each.Destination} was added, mounted from ${sourceOf(each)}`,
      wanted: "nothing",
      found: sourceOf(each),
    })),
  ];
}

/** Compose hands a path on as it was written; the engine keeps it without a slash at its end, and without detours. */
function sourceOnHost(
  type: string,
  source: string | undefined,
  volumes: WantedContainer["volumes"],
): string | undefined {
  if (source === undefined) return undefined;
  return type === "volume" ? (volumes[source]?.name ?? source) : withoutSlash(posix.normalize(source));
}

function isKept(type: string): boolean {
  return type === "volume" || type === "bind";
}

function lackingMount(target: string, { source, readOnly }: WantedMount, found: MountPoint | undefined): Drift[] {
  const isSame = found !== undefined && (source === undefined || sourceOf(found) === source);
  if (isSame && found.RW !== readOnly) return [];
  const wanted = described(source ?? "a volume without a name", readOnly);
  const is = found === undefined ? "nothing" : described(sourceOf(found), !found.RW);
  return [{ path: "volumes", message: `${target} is mounted from ${is}`, wanted, found: is }];
}

function described(source: string, readOnly: boolean): string {
  return readOnly ? `${source} (read-only)` : source;
}

function sourceOf({ Type, Name, Source }: MountPoint): string {
  return Type === "volume" ? Name : Source;
}

/** An image may ask for volumes of its own; without the image nobody can tell. */
function isOfImage({ Type, Destination }: MountPoint, image: Image | undefined): boolean {
  if (Type !== "volume") return false;
  return (
    image === undefined ||
    Object.keys(image.Config?.Volumes ?? {})
      .map(withoutSlash)
      .includes(withoutSlash(Destination))
  );
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, "");
}
