import { isIP } from "node:net";
import { createSecureContext } from "node:tls";
import * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import { appName, connectionLimit, serviceName, siteSpec } from "../../core/release/release-spec.ts";
import { backendName, routeKey } from "./edge-names.ts";
import type { EdgeApp, EdgeView } from "./edge.ts";

const port = z.number().int().min(1).max(65535);
const backend = z.object({ service: serviceName, port });
/** Only what needs no quoting in HAProxy's files and commands: `;`, `#`, spaces and line ends would be syntax there. */
const path = z.string().regex(/^\/[\w.~%+:@=,/-]*$/, "a path of letters, digits and -._~%+:@=,/");
const app = z.object({
  app: appName,
  domains: siteSpec.shape.domains.unwrap(),
  certificatePem: z.string().optional(),
  routes: z.array(backend.extend({ path })),
  servers: z.array(
    backend.extend({
      name: z.string().regex(/^[\w.-]{1,120}$/, "letters, digits and _.-"),
      address: z.string().refine((text) => isIP(text) !== 0, "an IP address"),
      maxConnections: connectionLimit.optional(),
    }),
  ),
  backends: z.array(backend).optional(),
});
const view = z.object({ httpPort: port, httpsPort: port, apps: z.array(app) });

/**
 * Refuses an app that cannot be put into HAProxy's files and commands, or whose routes contradict each other.
 * @throws IkomaError CONFIG_INVALID
 */
export function checkEdgeApp(edgeApp: EdgeApp): void {
  refuse(app.safeParse(edgeApp).error, `The app ${edgeApp.app} cannot be served by the edge`);
  if (edgeApp.certificatePem !== undefined) checkCertificate(edgeApp.app, edgeApp.certificatePem);
  refuseTwice(
    edgeApp.routes.map((route) => routeKey(edgeApp.app, route.path)),
    (key) => `Two routes of the app ${edgeApp.app} have the path ${key.slice(edgeApp.app.length)}.`,
  );
  refuseTwice(
    edgeApp.servers.map((server) => `${backendName(edgeApp.app, server)}/${server.name}`),
    (name) => `Two servers are named ${name}.`,
  );
}

/**
 * As {@link checkEdgeApp} for all apps, and that no two of them claim the same host names.
 * @throws IkomaError CONFIG_INVALID
 */
export function checkEdgeView(edgeView: EdgeView): void {
  refuse(view.safeParse(edgeView).error, "The edge cannot be configured");
  edgeView.apps.forEach(checkEdgeApp);
  refuseTwice(
    edgeView.apps.map((each) => each.app),
    (name) => `The app ${name} is on the edge twice.`,
  );
  refuseTwice(edgeView.apps.flatMap(hostNames), (host) => {
    const claimants = edgeView.apps.filter((each) => hostNames(each).includes(host)).map((each) => each.app);
    const what = host === "*" ? "every host name (they have no domains)" : `the host name ${host}`;
    return `The apps ${claimants.join(" and ")} both claim ${what}.`;
  });
}

/** HAProxy 2.6 would say only in its log what is wrong with a certificate, and stop the reload for every app. */
function checkCertificate(name: string, pem: string): void {
  try {
    createSecureContext({ cert: pem, key: pem });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new IkomaError(
      "CONFIG_INVALID",
      `The certificate of the app ${name} is not a PEM chain with its private key: ${why}`,
      { cause: error },
    );
  }
}

/** Keys of the host map for an app: its domains, or `*` for all that nobody claims. */
export function hostNames(edgeApp: EdgeApp): string[] {
  return edgeApp.domains.length === 0 ? ["*"] : [...new Set(edgeApp.domains)];
}

function refuse(error: z.ZodError | undefined, what: string): void {
  if (error === undefined) return;
  throw new IkomaError("CONFIG_INVALID", `${what}: ${z.prettifyError(error).replaceAll("\n", " ")}`);
}

function refuseTwice(names: string[], message: (name: string) => string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw new IkomaError("CONFIG_INVALID", message(name));
    seen.add(name);
  }
}
