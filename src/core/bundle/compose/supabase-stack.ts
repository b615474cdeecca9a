import { parseImageReference } from "../../adapters/registry/image-reference.ts";
import { isLoopback } from "../../link/loopback.ts";
import {
  gatewayPort,
  supabaseParts,
  type SupabasePart,
  type SupabaseParts,
} from "../../services/supabase/self-hosted/stack-parts.ts";
import type { ComposeModel, ComposeMount, ComposePort, ComposeService } from "./compose-model.ts";
import type { Findings } from "./findings.ts";
import { isLocalMount } from "./local-texts.ts";
import { aliasesOf, withAliases } from "./network-aliases.ts";
import { parsePort } from "./ports.ts";

/** A project's compose model, and those of its services that are on. */
export interface ComposeProject {
  readonly model: ComposeModel;
  readonly services: Readonly<Record<string, ComposeService>>;
}

/**
 * Folders that the official file mounts from beside itself for data, by part and path in the container: volumes here.
 * On the host they would be empty folders, and a bundle takes no data along.
 */
const dataMounts: readonly { parts: readonly SupabasePart[]; target: string; volume: string }[] = [
  { parts: ["database"], target: "/var/lib/postgresql/data", volume: "db-data" },
  { parts: ["storage", "imgproxy"], target: "/var/lib/storage", volume: "storage-data" },
  { parts: ["studio"], target: "/app/snippets", volume: "studio-snippets" },
];

/** Kong's own, for files from before the official one had it: without, the agent would ask for `/`, which wants a login. */
const kongHealth = { test: ["CMD", "kong", "health"], interval: "5s", timeout: "5s", retries: 5 };

/**
 * The official self-hosted stack of Supabase, as it has to be written for a host that has no folder of it: the gateway
 * is the web, data folders are volumes, what was found by a container's name is found by an alias, and databases and
 * poolers are published on the host itself only. Everything else, and every other project, stays as it is.
 */
export function asSupabaseStack(project: ComposeProject, findings: Findings): ComposeProject {
  const parts = supabaseParts(
    Object.fromEntries(Object.entries(project.services).map(([name, { image }]) => [name, image])),
  );
  if (parts === undefined) return project;
  const told = `this is Supabase's self-hosted stack: ${parts.gateway} is the web, what else belongs to it lives on across releases.`;
  findings.warn("services", `${told} An \`x-ikoma\` changes that.`);
  const volumes = new Set<string>();
  const services = Object.entries(project.services).map(([name, service]) => {
    const path = `services.${name}`;
    warnOfLatest(path, service, findings);
    const named = foundByContainerName(name, service);
    const part = partOf(parts, name);
    const stored = withVolumes(path, part, named, { volumes, findings });
    if (part === "gateway") return [name, asWeb(path, stored, findings)] as const;
    const closed = onlyHere(path, stored, findings);
    return [name, part === undefined ? closed : withKind("accessory", closed)] as const;
  });
  const declared = Object.fromEntries([...volumes].map((volume) => [volume, project.model.volumes[volume] ?? {}]));
  return {
    model: { ...project.model, volumes: { ...project.model.volumes, ...declared } },
    services: Object.fromEntries(services),
  };
}

function partOf(parts: SupabaseParts, service: string): SupabasePart | undefined {
  return (Object.keys(parts) as SupabasePart[]).find((part) => parts[part] === service);
}

/** Nothing in a bundle changes by itself, but the next one would have whatever is the latest then. */
function warnOfLatest(path: string, { image }: ComposeService, findings: Findings): void {
  if (image === undefined || image.includes("$")) return;
  const { tag, digest } = parseImageReference(image);
  if (digest !== undefined || (tag !== undefined && tag !== "latest")) return;
  findings.warn(`${path}.image`, `${image} is the newest there is each time a bundle is made. Write its version.`);
}

/** The gateway's configuration finds Realtime by the name of its container, in which Realtime finds its tenant. */
function foundByContainerName(name: string, service: ComposeService): ComposeService {
  const { container_name: containerName, ...rest } = service;
  if (typeof containerName !== "string" || containerName === name || containerName.includes("$")) return rest;
  return withAliases(rest, [...new Set([...aliasesOf(rest), containerName])]);
}

function withVolumes(
  path: string,
  part: SupabasePart | undefined,
  service: ComposeService,
  { volumes, findings }: { volumes: Set<string>; findings: Findings },
): ComposeService {
  const known = dataMounts.filter(({ parts }) => part !== undefined && parts.includes(part));
  const mounts = (service.volumes ?? []).map((mount): ComposeMount => {
    const data = known.find(({ target }) => target === mount.target);
    if (data === undefined || !isLocalMount(mount)) return mount;
    volumes.add(data.volume);
    findings.warn(
      `${path}.volumes`,
      `${mount.source ?? ""} is the volume ${data.volume} on the host; what the folder holds here is not taken along.`,
    );
    const { target, read_only: readOnly } = mount;
    return { type: "volume", source: data.volume, target, ...(readOnly !== undefined && { read_only: readOnly }) };
  });
  return mounts.length === 0 ? service : { ...service, volumes: mounts };
}

/** What the edge needs of the gateway: one port, and a health check that asks for no login. */
function asWeb(path: string, service: ComposeService, findings: Findings): ComposeService {
  const other = (service.ports ?? []).map(parsePort).filter(({ target }) => target !== gatewayPort);
  if (other.length > 0) {
    const written = other.map((port) => port.written).join(", ");
    findings.warn(
      `${path}.ports`,
      `${written} is not published: the edge has the certificate, and asks ${gatewayPort}.`,
    );
  }
  const isKong = /(^|\/)kong([:@]|$)/.test(service.image ?? "");
  const web = {
    ...service,
    ports: (service.ports ?? []).filter((port) => parsePort(port).target === gatewayPort),
    ...(isKong && service.healthcheck === undefined && { healthcheck: kongHealth }),
  };
  return withKind("web", web, { port: gatewayPort });
}

/** Left on a service whose kind is not from the file itself. */
const reasonKey = "x-ikoma-reason";

/** Unless the file itself says what the service is. */
function withKind(kind: string, service: ComposeService, more: Record<string, unknown> = {}): ComposeService {
  const own = service["x-ikoma"];
  const isOwn = typeof own === "object" && own !== null && "kind" in own;
  return {
    ...service,
    "x-ikoma": { kind, ...more, ...(typeof own === "object" ? own : {}) },
    ...(!isOwn && { [reasonKey]: kind === "web" ? "the gateway of Supabase's stack" : "a part of Supabase's stack" }),
  };
}

/** Why {@link asSupabaseStack} has given a service its kind; undefined where it has not. */
export function reasonOfStack(service: ComposeService): string | undefined {
  const reason = service[reasonKey];
  return typeof reason === "string" ? reason : undefined;
}

/** A database that the whole internet may try passwords at is nothing that anybody wanted. */
function onlyHere(path: string, service: ComposeService, findings: Findings): ComposeService {
  const ports = (service.ports ?? []).map((port): ComposePort => {
    const { hostAddress, written } = parsePort(port);
    if (hostAddress !== undefined) {
      if (!isLoopback(hostAddress)) {
        findings.refuse(
          `${path}.ports`,
          `${written} would be open to everybody: Docker's ports pass by the host's firewall. Write 127.0.0.1 in front.`,
        );
      }
      return port;
    }
    findings.warn(`${path}.ports`, `${written} is published on 127.0.0.1 only; from elsewhere, go through SSH (-L).`);
    return onLoopback(port);
  });
  return ports.length === 0 ? service : { ...service, ports };
}

function onLoopback(port: ComposePort): ComposePort {
  if (typeof port === "object") return { ...port, host_ip: "127.0.0.1" };
  return parsePort(port).fixed ? `127.0.0.1:${port}` : `127.0.0.1::${port}`;
}
