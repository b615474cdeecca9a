import { IkomaError } from "../../errors.ts";

/** A reference to an image or artifact, taken apart: `registry/repository[:tag][@digest]`. */
export interface ImageReference {
  /** Host name with port; `docker.io` where the reference names none. */
  registry: string;
  /** Path in the registry; official images of docker.io have `library/` in front. */
  repository: string;
  tag?: string;
  /** `sha256:…` */
  digest?: string;
  /** Registry and repository as they were written: `postgres`, not `docker.io/library/postgres`. */
  familiarName: string;
}

// The grammar of distribution/reference, for sha256 only.
const shape = /^(?<name>[^@]+?)(?::(?<tag>[\w][\w.-]{0,127}))?(?:@(?<digest>sha256:[0-9a-f]{64}))?$/;
const host = /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const component = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const path = new RegExp(`^${component}(?:/${component})*$`);

/**
 * Takes a reference apart, by Docker's rules for what is a host name.
 *
 * @throws IkomaError USAGE when it is no reference.
 */
export function parseImageReference(text: string): ImageReference {
  const groups = shape.exec(text)?.groups;
  const name = groups?.name ?? "";
  const { registry, repository } = splitName(name);
  if (groups === undefined || !host.test(registry) || !path.test(repository)) {
    throw new IkomaError("USAGE", `${JSON.stringify(text)} is not an image reference.`, {
      hint: "Write registry/repository:tag or registry/repository@sha256:…, in lower case.",
    });
  }
  return {
    registry,
    repository,
    familiarName: name,
    ...(groups.tag === undefined ? {} : { tag: groups.tag }),
    ...(groups.digest === undefined ? {} : { digest: groups.digest }),
  };
}

/** What comes before the first `/` is a host if it has a dot or a port, or is localhost. */
function splitName(name: string): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  const first = slash === -1 ? "" : name.slice(0, slash);
  const named = first === "localhost" || /[.:]/.test(first) || first !== first.toLowerCase();
  const registry = named ? first : "docker.io";
  const repository = named ? name.slice(slash + 1) : name;
  if (registry !== "docker.io" && registry !== "index.docker.io") return { registry, repository };
  return { registry: "docker.io", repository: repository.includes("/") ? repository : `library/${repository}` };
}
