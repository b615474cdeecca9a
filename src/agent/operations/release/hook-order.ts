import * as z from "zod";
import type { Hook, ServiceSpec } from "../../../core/release/release-spec.ts";

const dependencies = z.record(z.string(), z.unknown()).catch({});

/** The jobs of this moment, each after those that it depends on, else by name. */
export function inOrder(services: Readonly<Record<string, ServiceSpec>>, moment: Hook["run"]): string[] {
  const jobs = Object.keys(services)
    .filter((name) => services[name]?.kind === "job" && services[name].hook?.run === moment)
    .sort();
  const ordered = new Set<string>();
  const visit = (name: string, above: readonly string[]): void => {
    // Compose has refused circles already; one that came another way must not hang the host.
    if (ordered.has(name) || above.includes(name)) return;
    const needed = dependencies.parse(services[name]?.["depends_on"]);
    for (const each of jobs.filter((job) => job in needed)) visit(each, [...above, name]);
    ordered.add(name);
  };
  for (const name of jobs) visit(name, []);
  return [...ordered];
}
