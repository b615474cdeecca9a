import { parseImageReference } from "../../adapters/registry/image-reference.ts";
import { hook } from "../../release/release-spec.ts";
import type { Hook } from "../../release/release-spec.ts";
import type { BundleManifest, BundleService } from "../manifest.ts";
import type { ComposeModel, ComposeService } from "./compose-model.ts";
import type { FileVariables } from "./environment.ts";
import { appExtension, parseExtension, serviceExtension } from "./extension.ts";
import type { AppExtension, ServiceExtension } from "./extension.ts";
import type { Findings } from "./findings.ts";
import { checkAliases } from "./network-aliases.ts";
import { serviceFilesOf } from "./mounted-files.ts";
import type { LocalTexts } from "./local-texts.ts";
import { checkMounts, volumeSpecs } from "./mounts.ts";
import { parsePort } from "./ports.ts";
import { checkPorts } from "./published-ports.ts";
import { checkNetworks, checkSeparation, checkSettings } from "./refusals.ts";
import { serviceDefinition } from "./service-definition.ts";
import type { ServiceDefinition } from "./service-definition.ts";
import { splitServices } from "./split.ts";
import { reasonOfStack } from "./supabase-stack.ts";
import type { ServiceFacts, Split, Verdict } from "./split.ts";

/** A project as compose read it, and what was said about it on the command line. */
export interface ProjectInput {
  model: ComposeModel;
  /** Those that are on. */
  services: Readonly<Record<string, ComposeService>>;
  /** Service → image, from `--image`. */
  images: Readonly<Record<string, string>>;
  fileVariables: ReadonlyMap<string, FileVariables>;
  texts: LocalTexts;
}

/** A service that lacks only the digest of its image. */
export interface NormalisedService extends Verdict {
  hook?: Hook;
  overlap?: false;
  /** Image reference; empty where there is none, which was refused. */
  image: string;
  definition: ServiceDefinition;
}

/** What a bundle needs to know of a compose file, except the digests of its images. */
export interface NormalisedProject extends Pick<
  BundleManifest,
  "volumes" | "routes" | "smoke" | "health" | "drainSeconds" | "strategy"
> {
  services: ReadonlyMap<string, NormalisedService>;
}

/**
 * Brings a compose file into the form of a bundle. Pure: what is wrong with it goes into `findings`, and the result
 * counts only if nothing was refused.
 *
 * @throws IkomaError COMPOSE_INVALID for an `x-ikoma` that is not understood.
 */
export function normaliseProject(input: ProjectInput, findings: Findings): NormalisedProject {
  const { model, services, fileVariables } = input;
  const app = parseExtension(appExtension, model["x-ikoma"], "x-ikoma");
  const facts = Object.entries(services).map(([name, service]) => factsOf(name, service, input, findings));
  const split = splitServices(facts, app.routes, findings);
  checkSeparation(services, model, findings);
  const used: string[] = [];
  const normalised = facts.map((fact) => {
    const service = services[fact.name] ?? {};
    used.push(...checkService(fact, service, input, split, findings));
    const definition = serviceDefinition(service, {
      path: `services.${fact.name}`,
      fromFiles: fileVariables.get(fact.name) ?? new Map(),
      companions: companionsOf(fact.name, split),
      keepPorts: kindOf(fact.name, split) === "accessory",
      files: serviceFilesOf(`services.${fact.name}`, service, { model, texts: input.texts }, findings),
      findings,
    });
    const verdict = split.verdicts.get(fact.name) ?? { kind: "accessory", reason: "" };
    return [
      fact.name,
      {
        ...verdict,
        ...hookOf(fact, verdict, findings),
        ...overlapOf(fact, verdict, findings),
        image: fact.image ?? "",
        definition,
      },
    ] as const;
  });
  return {
    services: new Map(normalised),
    volumes: volumeSpecs(used, model.volumes, findings),
    routes: split.routes,
    ...checksOf(app, facts, findings),
  };
}

function factsOf(name: string, service: ComposeService, input: ProjectInput, findings: Findings): ServiceFacts {
  const path = `services.${name}`;
  const told = input.images[name];
  const built = service.build !== undefined && service.build !== null;
  const image = told ?? service.image;
  checkImage(name, image, findings);
  return {
    name,
    built,
    told: told !== undefined,
    image,
    namespace: namespaceOf(image),
    ports: (service.ports ?? []).map(parsePort),
    exposed: (service.expose ?? []).flatMap((port) => parsePort(port).target ?? []),
    awaitedBy: Object.entries(input.services).flatMap(([other, { depends_on: needs }]) => {
      return needs?.[name]?.condition === "service_completed_successfully" ? [other] : [];
    }),
    because: reasonOfStack(service),
    extension: jobExtension(parseExtension(serviceExtension, service["x-ikoma"], `${path}.x-ikoma`), path, findings),
  };
}

/** `run` alone makes a job. */
function jobExtension(extension: ServiceExtension, path: string, findings: Findings): ServiceExtension {
  const { kind = "job", run } = extension;
  if (run === undefined) return extension;
  if (kind !== "job") {
    const reason = `a ${kind} runs all the time, and \`run\` is for a job.`;
    findings.refuse(`${path}.x-ikoma`, `${reason} Leave one of them out.`);
  }
  return { ...extension, kind };
}

/** What others wait for to complete runs before them, as it does when compose starts the project. */
function hookOf(
  { name, extension: { run, timeoutSeconds }, awaitedBy }: ServiceFacts,
  { kind }: Verdict,
  findings: Findings,
): { hook?: Hook } {
  const moment = run ?? (awaitedBy.length > 0 ? "pre" : undefined);
  if (kind === "job" && moment !== undefined) return { hook: hook.parse({ run: moment, timeoutSeconds }) };
  if (timeoutSeconds !== undefined)
    findings.refuse(`services.${name}.x-ikoma.timeoutSeconds`, "it is for a job with `run: pre` or `run: post`.");
  return {};
}

/** Only a worker has another one beside it that nobody is switched between. */
function overlapOf(
  { name, extension: { overlap } }: ServiceFacts,
  { kind }: Verdict,
  findings: Findings,
): { overlap?: false } {
  if (overlap === undefined) return {};
  const path = `services.${name}.x-ikoma.overlap`;
  if (kind === "web") {
    findings.refuse(path, "it is for a worker. Write `strategy: replace` into the `x-ikoma` at the top of the file.");
  } else if (kind !== "worker") {
    findings.refuse(path, `it is for a worker, and ${name} is ${kind === "job" ? "a job" : "an accessory"}.`);
  }
  return overlap ? {} : { overlap };
}

function checkImage(name: string, image: string | undefined, findings: Findings): void {
  const path = `services.${name}.image`;
  if (image === undefined) {
    findings.refuse(
      path,
      `${name} is built here, so its image has no name. Push it and say \`--image ${name}=registry/name:tag\`.`,
    );
  } else if (image.includes("$")) {
    const reason = `${image} holds a variable, and a bundle has the same images everywhere.`;
    findings.refuse(path, `${reason} Write the tag, or say \`--image ${name}=registry/name:tag\`.`);
  }
}

/** Images of one registry and namespace are taken to be of one owner; Docker's official ones are nobody's. */
function namespaceOf(image: string | undefined): string | undefined {
  if (image === undefined || image.includes("$")) return undefined;
  const { registry, repository } = parseImageReference(image);
  const namespace = repository.split("/").slice(0, -1).join("/");
  if (namespace === "" || (registry === "docker.io" && namespace === "library")) return undefined;
  return `${registry}/${namespace}`;
}

/** @returns the volumes that it uses. */
function checkService(
  fact: ServiceFacts,
  service: ComposeService,
  { model, services, texts }: ProjectInput,
  split: Split,
  findings: Findings,
): string[] {
  const path = `services.${fact.name}`;
  const kind = kindOf(fact.name, split);
  checkSettings(path, service, kind !== "accessory", findings);
  checkNetworks(path, service, model, findings);
  checkAliases(path, fact.name, service, services, findings);
  checkPorts(fact, kind, split.routes, findings);
  for (const [needed, { required }] of Object.entries(service.depends_on ?? {})) {
    const known = split.verdicts.has(needed);
    if (required && !known)
      findings.refuse(`${path}.depends_on`, `there is no service ${needed} (is it in a profile that is off?).`);
    if (known && kind === "accessory" && kindOf(needed, split) !== "accessory") {
      findings.warn(
        `${path}.depends_on`,
        `left out: ${fact.name} lives on across releases and starts before ${needed}.`,
      );
    }
  }
  return checkMounts(path, service.volumes ?? [], { declared: model.volumes, texts }, findings);
}

function kindOf(name: string, split: Split): Verdict["kind"] {
  return split.verdicts.get(name)?.kind ?? "accessory";
}

function companionsOf(name: string, split: Split): Set<string> {
  const accessory = kindOf(name, split) === "accessory";
  return new Set([...split.verdicts.keys()].filter((other) => (kindOf(other, split) === "accessory") === accessory));
}

type Checks = Pick<NormalisedProject, "smoke" | "health" | "drainSeconds" | "strategy">;

function checksOf(app: AppExtension, facts: readonly ServiceFacts[], findings: Findings): Checks {
  const extensions: readonly ServiceExtension[] = facts.map(({ extension }) => extension);
  const probes = [app.health, ...extensions.map(({ health }) => health)].filter((probe) => probe !== undefined);
  const [health] = probes;
  if (probes.length > 1) findings.refuse("x-ikoma.health", "an app has one probe; it is written more than once.");
  return {
    smoke: [...app.smoke, ...extensions.flatMap(({ smoke }) => smoke)],
    ...(health === undefined ? {} : { health }),
    ...(app.drainSeconds === undefined ? {} : { drainSeconds: app.drainSeconds }),
    ...(app.strategy === undefined ? {} : { strategy: app.strategy }),
  };
}

/** A service with its image by digest, as it stands in the manifest. */
export function pinnedService(
  { kind, reason, hook: runs, overlap, definition }: NormalisedService,
  image: string,
): BundleService {
  return {
    kind,
    reason,
    ...(runs && { hook: runs }),
    ...(overlap === false && { overlap }),
    definition: { ...definition, image },
  };
}
