import * as z from "zod";
import type { ComposeService } from "./compose-model.ts";
import type { Findings } from "./findings.ts";

const aliases = z.array(z.string());
const endpoint = z.looseObject({ aliases: aliases.nullish() }).nullish();

/** Other names of a service, of all the networks that it joins: they become one network. */
export function aliasesOf({ networks }: Pick<ComposeService, "networks">): string[] {
  if (networks === null || networks === undefined || Array.isArray(networks)) return [];
  return [...new Set(Object.values(networks).flatMap((each) => endpoint.catch({}).parse(each)?.aliases ?? []))];
}

/** The service with these other names in place of those that it has. */
export function withAliases(service: ComposeService, names: readonly string[]): ComposeService {
  const { networks } = service;
  const joined = Array.isArray(networks) ? Object.fromEntries(networks.map((name) => [name, null])) : (networks ?? {});
  const [first = "default"] = Object.keys(joined);
  const other = Object.fromEntries(Object.keys(joined).map((name) => [name, without(joined[name])]));
  return { ...service, networks: { ...other, [first]: { ...without(joined[first]), aliases: [...names] } } };
}

function without(settings: unknown): Record<string, unknown> | null {
  if (typeof settings !== "object" || settings === null) return null;
  const rest = Object.entries(settings).filter(([name]) => name !== "aliases");
  return rest.length === 0 ? null : Object.fromEntries(rest);
}

/** Refuses names that could not be told apart, or that nobody could look up. */
export function checkAliases(
  path: string,
  name: string,
  service: ComposeService,
  services: Readonly<Record<string, ComposeService>>,
  findings: Findings,
): void {
  for (const alias of aliasesOf(service)) {
    const other = Object.keys(services).find((each) => {
      return each !== name && (each === alias || aliasesOf(services[each] ?? {}).includes(alias));
    });
    if (other !== undefined) {
      findings.refuse(`${path}.networks`, `${alias} is a name of ${other} too: one of the two would not be found.`);
    } else if (!/^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$/.test(alias)) {
      findings.refuse(`${path}.networks`, `the alias ${alias} is no name of a host.`);
    }
  }
}
