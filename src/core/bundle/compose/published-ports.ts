import { isLoopback } from "../../link/loopback.ts";
import type { Route, ServiceKind } from "../../release/release-spec.ts";
import type { Findings } from "./findings.ts";
import type { PublishedPort } from "./ports.ts";
import type { ServiceFacts } from "./split.ts";

/**
 * A release publishes nothing on the host: the edge reaches it by its address, and two releases side by side could
 * not both have the port. An accessory may, and is then seen from outside.
 */
export function checkPorts(
  service: ServiceFacts,
  kind: ServiceKind,
  routes: readonly Route[],
  findings: Findings,
): void {
  const path = `services.${service.name}.ports`;
  if (kind === "accessory") {
    warnOfOpenPorts(path, service.ports, findings);
    return;
  }
  const own = routes.filter((route) => route.service === service.name);
  // Without a route it was refused already, for the reason that matters.
  if (kind === "web" && own.length === 0) return;
  for (const port of service.ports) {
    const routed = port.protocol === "tcp" && own.some((route) => route.port === port.target);
    if (routed) continue;
    if (port.fixed) findings.refuse(path, refusal(port, service.name, kind));
    else findings.warn(path, `${port.written} is not published: services of a release reach each other by name.`);
  }
}

function refusal({ written, protocol }: PublishedPort, name: string, kind: ServiceKind): string {
  if (protocol !== "tcp") return `${written} is ${protocol}, which the edge does not carry. Remove it.`;
  const side = `${written} would be taken by the old release while the new one starts.`;
  if (kind === "web")
    return `${side} Only the web port is reached, through the edge. Remove it, or add a route to x-ikoma.routes.`;
  return `${side} Remove it, or write \`x-ikoma: {kind: web, path: /${name}}\` to reach it through the edge.`;
}

function warnOfOpenPorts(path: string, ports: readonly PublishedPort[], findings: Findings): void {
  const open = ports.filter(({ hostAddress = "0.0.0.0" }) => !isLoopback(hostAddress));
  if (open.length === 0) return;
  const written = open.map((port) => port.written).join(", ");
  findings.warn(
    path,
    `${written} can be reached from outside. The app does not need it; write 127.0.0.1 in front, or remove it.`,
  );
}
