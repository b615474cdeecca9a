import { siteSpec } from "../../core/release/release-spec.ts";
import type { Host } from "../host.ts";
import type { Part } from "../protocol/operations.ts";
import { part as partSchema } from "../protocol/operations.ts";
import { deploymentOfServer, releaseProject } from "../operations/compose-project.ts";
import { unknownOfRelease } from "../ledger/found-deployments.ts";
import { findApps, numbersOf, servingNumber } from "./found-app.ts";
import type { FoundApp } from "./found-app.ts";
import { guessedAccessories, guessedBundle, guessedRelease } from "./guessed-input.ts";

const lost = "the agent's ledger was lost";

/**
 * Fills a ledger that knows of nothing from what is on the host: records, containers, networks, volumes and the edge's
 * configuration (docs/adr/0011). To be called before anything is made to match the ledger: an empty one would have the
 * edge serve nobody. All or nothing, so that a start that is cut off here begins anew.
 */
export async function rebuildLedger(host: Host): Promise<void> {
  if (!host.records.isLedgerEmpty()) return;
  const found = await findApps(host);
  if (found.length === 0) return;
  const told = host.parts.atOnce(() => {
    const messages = found.map((each) => [each.app, rebuildApp(host, each)] as const);
    holdSubnets(host, found);
    return messages;
  });
  for (const [app, message] of told) {
    host.repairs.note(message, app);
    host.log.warn({ app }, message);
  }
}

/** Enters an app; gives what to say of it. */
function rebuildApp(host: Host, found: FoundApp): string {
  const { app, record, volumes } = found;
  if (record !== undefined) host.records.restore(record);
  const serving = servingNumber(found);
  const seen = [...numbersOf(found), serving ?? 0];
  const isExact = serving === undefined || reinstate(host, found, serving);
  for (const number of numbersOf(found))
    host.deployments.found.enterLeftover(app, number, `${lost} while something of this was on the host`);
  const missing = rebuildParts(host, found, serving);
  for (const name of volumes) host.knownVolumes.add(app, name);
  countOn(host, app, Math.max(...seen));
  const serves = serving === undefined ? "nothing serves" : `#${serving} serves`;
  const from = record === undefined ? "what runs" : "its record and what runs";
  const unknown = [...(isExact ? [] : [unknownOfRelease]), ...missing];
  const rest = unknown.length === 0 ? "" : `; not known any more: ${unknown.join(", ")}`;
  return `${lost}, and is rebuilt from ${from}: ${serves}${rest}`;
}

function reinstate(host: Host, found: FoundApp, number: number): boolean {
  const { app, edge, networks } = found;
  const network = networks.find((each) => each.Name === releaseProject(app, number));
  return host.deployments.found.reinstate({
    app,
    number,
    input: guessedRelease(found, number),
    note: `rebuilt from what runs: ${lost}`,
    servers: (edge?.servers ?? []).filter((each) => deploymentOfServer(each.name) === number),
    subnet: subnetOf(network),
  });
}

/** Parts that no record brought back, as far as they can be told from what runs; gives what of them cannot. */
function rebuildParts(host: Host, found: FoundApp, serving: number | undefined): string[] {
  const { app, edge, record } = found;
  /** A record that does not name it says that there was none. */
  const lacks = (part: Part): boolean =>
    !host.parts.has(app, part) &&
    (record === undefined || record.tables.parts?.some((each) => each["part"] === part) === true);
  const hasSite = edge !== undefined && lacks("site");
  if (hasSite) {
    const { domains, certificatePem } = edge;
    const site = { app, domains, ...(certificatePem !== undefined && { certificatePem }) };
    host.parts.set(app, "site", siteSpec.parse(site));
  }
  const accessories = guessedAccessories(found);
  const isGuessed = accessories !== undefined && lacks("accessories");
  if (isGuessed) host.parts.set(app, "accessories", accessories);
  const spec = serving === undefined ? undefined : host.deployments.input(app, serving)?.spec;
  const bundle = spec === undefined ? undefined : guessedBundle(found, spec);
  if (bundle !== undefined && lacks("bundle")) host.parts.set(app, "bundle", bundle);
  return isGuessed ? ["what its accessories were given"] : [];
}

/** A plan that was made before the loss is made anew: something may have been under way that nobody knows of. */
function countOn(host: Host, app: string, atLeast: number): void {
  for (const each of partSchema.options)
    host.parts.advanceTo(app, each, Math.max(host.parts.generation(app, each), atLeast) + 1);
}

function holdSubnets(host: Host, found: readonly FoundApp[]): void {
  const held = found.flatMap(({ networks }) =>
    networks.flatMap((each): [string, string][] => {
      const subnet = subnetOf(each);
      return subnet === undefined ? [] : [[each.Name, subnet]];
    }),
  );
  host.subnets.hold(new Map(held));
}

function subnetOf(network: FoundApp["networks"][number] | undefined): string | undefined {
  return network?.IPAM.Config?.find((each) => each.Subnet !== undefined)?.Subnet;
}
