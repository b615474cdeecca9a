import { routePath } from "../../release/release-spec.ts";
import type { Route, ServiceKind } from "../../release/release-spec.ts";
import type { PublishedPort } from "./ports.ts";
import type { ServiceExtension } from "./extension.ts";
import type { Findings } from "./findings.ts";

/** What the split is decided from. */
export interface ServiceFacts {
  name: string;
  /** It has a `build`. */
  built: boolean;
  /** `--image` was given for it. */
  told: boolean;
  /** As in the compose file, or as told. */
  image: string | undefined;
  /** `registry/namespace` of the image, unless it has none or it is that of Docker's official images. */
  namespace: string | undefined;
  ports: readonly PublishedPort[];
  /** Ports of `expose`. */
  exposed: readonly number[];
  /** Services that start only when this one has completed. */
  awaitedBy: readonly string[];
  extension: ServiceExtension;
  /** Why it is of the extension's kind, where not the file itself says so. */
  because?: string | undefined;
}

/** A service's kind, and why, for people. */
export interface Verdict {
  kind: ServiceKind;
  reason: string;
}

/** Each service's kind, and what the edge sends where. */
export interface Split {
  verdicts: ReadonlyMap<string, Verdict>;
  routes: Route[];
}

/**
 * Decides what of a compose file is replaced by each release (web, workers, jobs) and what lives on across them.
 * What remains ambiguous is refused with what to write; nothing is guessed about who gets the traffic.
 *
 * @param routes of the top-level `x-ikoma`; they make their services web services.
 */
export function splitServices(
  services: readonly ServiceFacts[],
  routes: readonly Route[] | undefined,
  findings: Findings,
): Split {
  const routed = new Set(routes?.map((route) => route.service));
  const belongs = membership(services, routed);
  const webs = webServices(services, belongs, routed, findings);
  const verdicts = new Map(services.map((service) => [service.name, verdictOf(service, belongs, webs)]));
  checkRoutes(services, verdicts, routes ?? [], findings);
  return { verdicts, routes: routes === undefined ? routesOf(services, webs, findings) : [...routes] };
}

/** Service → why it belongs to the release; accessories are missing. */
type Membership = ReadonlyMap<string, string>;

function membership(services: readonly ServiceFacts[], routed: ReadonlySet<string>): Membership {
  const namespaces = new Set(
    services.filter((service) => service.built || service.told).map(({ namespace }) => namespace),
  );
  const reasons = new Map<string, string>();
  for (const service of services) {
    const reason = ownReason(service, routed, namespaces);
    if (reason !== undefined) reasons.set(service.name, reason);
  }
  for (const service of services) {
    const waiting = service.awaitedBy.find((name) => reasons.has(name));
    if (waiting === undefined || service.extension.kind !== undefined || reasons.has(service.name)) continue;
    reasons.set(service.name, `${waiting} waits for it to complete`);
  }
  return reasons;
}

function ownReason(
  { name, extension, because, built, told, namespace }: ServiceFacts,
  routed: ReadonlySet<string>,
  namespaces: ReadonlySet<string | undefined>,
): string | undefined {
  if (extension.kind === "accessory") return undefined;
  if (extension.kind !== undefined) return because ?? `x-ikoma says ${extension.kind}`;
  if (routed.has(name)) return "x-ikoma.routes lead to it";
  if (built) return "built from this repository";
  if (told) return "its image was named with --image";
  if (namespace !== undefined && namespaces.has(namespace)) return `its image is of ${namespace}, like the app's`;
  return undefined;
}

function webServices(
  services: readonly ServiceFacts[],
  belongs: Membership,
  routed: ReadonlySet<string>,
  findings: Findings,
): ReadonlySet<string> {
  const release = services.filter(({ name }) => belongs.has(name));
  const named = release.filter(
    ({ name, extension: { kind } }) => kind === "web" || (kind === undefined && routed.has(name)),
  );
  if (named.length > 0) return new Set(named.map(({ name }) => name));
  const open = release.filter(({ extension, awaitedBy }) => extension.kind === undefined && awaitedBy.length === 0);
  const publishing = open.filter(({ ports }) => ports.length > 0);
  if (publishing.length === 1) return new Set(publishing.map(({ name }) => name));
  if (publishing.length > 1) refuseManyWebs(publishing, findings);
  else if (release.length === 0) refuseNoRelease(services, findings);
  else if (open.length > 0) refuseNoWeb(open, findings);
  return new Set();
}

function refuseManyWebs(publishing: readonly ServiceFacts[], findings: Findings): void {
  const names = publishing.map(({ name }) => name).join(" and ");
  const reason = `${names} both publish ports, so the app's web service is not clear. `;
  findings.refuse("services", `${reason}Write \`x-ikoma: {kind: web}\` on it (with \`path: /api\` on a second one).`);
}

function refuseNoWeb(open: readonly ServiceFacts[], findings: Findings): void {
  const names = open.map(({ name }) => name).join(", ");
  const reason = `none of the app's services (${names}) publishes a port, so it has no web service. `;
  findings.refuse(
    "services",
    `${reason}Write \`x-ikoma: {kind: web, port: 3000}\` on it, or \`kind: worker\` on each.`,
  );
}

function refuseNoRelease(services: readonly ServiceFacts[], findings: Findings): void {
  const names = services.map(({ name }) => name).join(", ");
  const reason = `none of the services (${names}) is the app's: nothing is built here, and all images are of others. `;
  findings.refuse("services", `${reason}Name the app's image with \`--image web=registry/shop:1.0\`.`);
}

function verdictOf(service: ServiceFacts, belongs: Membership, webs: ReadonlySet<string>): Verdict {
  const { name, extension, awaitedBy, image } = service;
  const reason = belongs.get(name);
  if (reason === undefined) {
    const explicit = extension.kind === "accessory";
    return {
      kind: "accessory",
      reason: explicit ? (service.because ?? "x-ikoma says accessory") : `image of others (${withoutDigest(image)})`,
    };
  }
  if (webs.has(name)) return { kind: "web", reason: extension.kind ? reason : `${reason}, and ${webReason(service)}` };
  if (extension.kind !== undefined) return { kind: extension.kind, reason };
  const waiting = awaitedBy[0];
  if (waiting === undefined) return { kind: "worker", reason: `${reason}, and it has no part in the web` };
  const awaited = `${waiting} waits for it to complete`;
  return { kind: "job", reason: reason === awaited ? reason : `${reason}, and ${awaited}` };
}

const withoutDigest = (image: string | undefined): string => image?.replace(/@sha256:.*$/, "") ?? "none";

function webReason({ ports }: ServiceFacts): string {
  return ports.length === 0 ? "requests go to it" : `it publishes ${ports.map(({ written }) => written).join(", ")}`;
}

function routesOf(services: readonly ServiceFacts[], webs: ReadonlySet<string>, findings: Findings): Route[] {
  const routes: Route[] = [];
  for (const service of services.filter(({ name }) => webs.has(name))) {
    const path = service.extension.path ?? "/";
    const taken = routes.find((route) => routePath(route.path) === routePath(path));
    const port = portOf(service, findings);
    if (taken !== undefined) {
      const others = `${taken.service} and ${service.name} would both get ${path}`;
      findings.refuse(
        `services.${service.name}.x-ikoma`,
        `${others}. Give one of them another \`path\`, or \`kind: worker\`.`,
      );
    } else if (port !== undefined) {
      const { maxConnections } = service.extension;
      routes.push({ path, service: service.name, port, ...(maxConnections !== undefined && { maxConnections }) });
    }
  }
  return routes;
}

function portOf({ name, extension, ports, exposed }: ServiceFacts, findings: Findings): number | undefined {
  if (extension.port !== undefined) return extension.port;
  const targets = new Set(ports.length > 0 ? ports.map(({ target }) => target) : exposed);
  const [target] = targets;
  if (targets.size === 1 && target !== undefined) return target;
  const written = ports.map((port) => port.written).join(", ");
  const found =
    targets.size === 0 ? "publishes no port" : `publishes ${written === "" ? [...targets].join(", ") : written}`;
  findings.refuse(
    `services.${name}`,
    `it ${found}, so its web port is not clear. Write \`x-ikoma: {port: 3000}\` with the port in the container.`,
  );
  return undefined;
}

function checkRoutes(
  services: readonly ServiceFacts[],
  verdicts: ReadonlyMap<string, Verdict>,
  routes: readonly Route[],
  findings: Findings,
): void {
  const paths = routes.map(({ path }) => routePath(path));
  if (new Set(paths).size < paths.length) findings.refuse("x-ikoma.routes", "two routes have the same path.");
  for (const { service } of routes) {
    const known = services.some(({ name }) => name === service);
    if (!known) findings.refuse("x-ikoma.routes", `there is no service ${service} (is it in a profile that is off?).`);
    else if (verdicts.get(service)?.kind !== "web")
      findings.refuse("x-ikoma.routes", `${service} is not a web service.`);
  }
}
