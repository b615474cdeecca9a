import type { ServiceSpec } from "../../core/deployer/release-spec.ts";
import type { Container } from "../engine/containers.ts";
import type { Image } from "../engine/images.ts";
import type { Drift } from "../protocol.ts";

/** How a container differs from what its service asks for. `path` is the service's property path. */
export function containerDrift(
  path: string,
  name: string,
  wanted: ServiceSpec,
  container: Container,
  image: Image | undefined,
): Drift[] {
  const found: Drift[] = [];
  const { Status, ExitCode, Running, Restarting } = container.State;
  // In a crash loop the engine calls it both.
  if (!Running || Restarting)
    found.push({ path: `${path}.state`, message: `${name}: the container is ${Status} (exit code ${ExitCode})` });
  if (container.Config.Image !== wanted.image)
    found.push({ path: `${path}.image`, message: `${name}: the container runs ${container.Config.Image}` });
  found.push(...environmentDrift(path, name, wanted.environment, container.Config.Env ?? [], image));
  return found;
}

/** Names only: a value may be a secret. */
function environmentDrift(
  path: string,
  name: string,
  wanted: Record<string, string>,
  actual: string[],
  image: Image | undefined,
): Drift[] {
  const has = environmentMap(actual);
  const fromImage = environmentMap(image?.Config?.Env ?? []);
  const differing = Object.entries(wanted).filter(([key, value]) => has.get(key) !== value);
  // Without the image nobody can tell what came from it.
  const extra =
    image === undefined
      ? []
      : [...has].filter(([key, value]) => !Object.hasOwn(wanted, key) && fromImage.get(key) !== value);
  return [
    ...differing.map(([key]) => ({
      path: `${path}.environment.${key}`,
      message: `${name}: the variable ${key} ${has.has(key) ? "has another value" : "is not set"}`,
    })),
    ...extra.map(([key]) => ({
      path: `${path}.environment.${key}`,
      message: `${name}: the variable ${key} was added`,
    })),
  ];
}

function environmentMap(entries: string[]): Map<string, string> {
  return new Map(
    entries.map((each) => {
      const at = each.indexOf("=");
      return at < 0 ? [each, ""] : [each.slice(0, at), each.slice(at + 1)];
    }),
  );
}
