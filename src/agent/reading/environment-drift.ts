import type { Container } from "../engine/containers.ts";
import type { Image } from "../engine/images.ts";
import type { Drift } from "../protocol/views.ts";
import type { ComposedService } from "./container-drift.ts";

/** Names only: a value may be a secret. */
export function environmentDrift(service: ComposedService, container: Container, image: Image | undefined): Drift[] {
  const wanted = new Map(Object.entries((service["environment"] ?? {}) as Record<string, string>));
  const has = environmentMap(container.Config.Env ?? []);
  const fromImage = environmentMap(image?.Config?.Env ?? []);
  const differing = [...wanted].filter(([key, value]) => has.get(key) !== value);
  // Without the image nobody can tell what came from it.
  const extra =
    image === undefined ? [] : [...has].filter(([key, value]) => !wanted.has(key) && fromImage.get(key) !== value);
  // No run of the engine's does that: somebody unset it.
  const unset = [...fromImage.keys()].filter((key) => !has.has(key) && !wanted.has(key));
  return [
    ...unset.map((key) => ({ path: `environment.${key}`, message: `the variable ${key} of the image is not set` })),
    ...differing.map(([key]) => ({
      path: `environment.${key}`,
      message: `the variable ${key} ${has.has(key) ? "has another value" : "is not set"}`,
    })),
    ...extra.map(([key]) => ({ path: `environment.${key}`, message: `the variable ${key} was added` })),
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
