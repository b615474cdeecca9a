import type { ServiceFile } from "../../release/release-spec.ts";
import { serviceEnvironment, serviceLabels } from "./environment.ts";
import type { FileVariables } from "./environment.ts";
import type { ComposeService } from "./compose-model.ts";
import type { Findings } from "./findings.ts";
import { isLocalMount } from "./local-texts.ts";
import { aliasesOf } from "./network-aliases.ts";

/** Settings that the agent decides, that were for building only, or that are written anew below. */
const leftOut = new Set([
  ...["build", "develop", "image", "pull_policy", "profiles", "env_file", "container_name", "restart"],
  ...["networks", "links", "environment", "labels", "depends_on", "healthcheck", "ports", "deploy", "volumes"],
  ...["secrets", "configs", "files"],
]);

/** What a definition is made with besides the service itself. */
export interface DefinitionContext {
  /** `services.NAME`, for messages. */
  path: string;
  fromFiles: FileVariables;
  /** Services on the same side of the split: only they start and stop together. */
  companions: ReadonlySet<string>;
  /** Published ports are an accessory's only; the edge reaches a release by its address. */
  keepPorts: boolean;
  /** Its secrets, configurations and mounted texts. */
  files: Readonly<Record<string, ServiceFile>>;
  findings: Findings;
}

/**
 * A service as the bundle keeps it, but for its image: environment and labels as maps, the health check's command as
 * a list, dependencies across the split left out (the agent starts accessories first, and waits for them).
 */
export function serviceDefinition(service: ComposeService, context: DefinitionContext): ServiceDefinition {
  const { path, fromFiles, companions, keepPorts, files, findings } = context;
  const kept = Object.entries(service).filter(([setting, value]) => {
    return !leftOut.has(setting) && !setting.startsWith("x-") && value !== null && value !== undefined;
  });
  return {
    ...Object.fromEntries(kept),
    ...unlessEmpty("environment", serviceEnvironment(path, service.environment, fromFiles, findings)),
    ...unlessEmpty("labels", serviceLabels(path, service.labels, findings)),
    ...unlessEmpty("depends_on", dependencies(service, companions)),
    ...unlessEmpty("healthcheck", healthCheck(service.healthcheck)),
    ...unlessEmpty("ports", keepPorts ? (service.ports ?? []) : []),
    ...unlessEmpty(
      "volumes",
      (service.volumes ?? []).filter((mount) => !isLocalMount(mount)),
    ),
    ...unlessEmpty("files", files),
    ...unlessEmpty("deploy", deployment(service.deploy)),
    ...unlessEmpty("networks", otherNames(service)),
  };
}

/** A compose service in the form of the bundle, still without its image; `environment` never holds null. */
export interface ServiceDefinition extends Record<string, unknown> {
  environment?: Record<string, string>;
  files?: Record<string, ServiceFile>;
}

/** `depends_on`, and the plain `links` of older files, among the companions. */
function dependencies(service: ComposeService, companions: ReadonlySet<string>): Record<string, unknown> {
  const linked = (service.links ?? []).map((name) => [name, { condition: "service_started", required: true }] as const);
  const all = { ...Object.fromEntries(linked), ...service.depends_on };
  return Object.fromEntries(Object.entries(all).filter(([name]) => companions.has(name)));
}

function healthCheck(check: ComposeService["healthcheck"]): Record<string, unknown> {
  if (check === null || check === undefined) return {};
  const test = typeof check.test === "string" ? ["CMD-SHELL", check.test] : check.test;
  if (check.disable === true || test?.[0] === "NONE") return { disable: true };
  // Engines before 25 refuse a start interval; the agent probes every 100 ms anyway.
  const kept = Object.entries(check).filter(([name]) => !["start_interval", "disable", "test"].includes(name));
  return { ...Object.fromEntries(kept), ...(test === null || test === undefined ? {} : { test }) };
}

/** In compose's own form, so that an agent that gives no other names takes no offence. */
function otherNames(service: ComposeService): Record<string, unknown> {
  const aliases = aliasesOf(service);
  return aliases.length === 0 ? {} : { default: { aliases } };
}

/** Compose lets `deploy.restart_policy` win over `restart`, which is the agent's. */
function deployment(deploy: unknown): Record<string, unknown> {
  if (typeof deploy !== "object" || deploy === null) return {};
  return Object.fromEntries(Object.entries(deploy).filter(([setting]) => setting !== "restart_policy"));
}

function unlessEmpty<K extends string, V extends object>(setting: K, value: V): { [key in K]?: V } {
  return Object.keys(value).length === 0 ? {} : ({ [setting]: value } as { [key in K]?: V });
}
