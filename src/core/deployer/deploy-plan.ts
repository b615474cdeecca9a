import { createHash } from "node:crypto";
import * as z from "zod";
import { canonicalJson } from "../canonical-json.ts";
import { isNotedOnly, notedReleaseFields } from "../release/noted-fields.ts";
import type { EngineEvent } from "../engine/engine-event.ts";
import { plannedMigrations, type PlannedMigrations } from "./planned-migrations.ts";
import type { PlannedChange, PlannedOperation, PlannedResource } from "../engine/plan.ts";

/**
 * What happens to a service's containers. `starts-anew`: a new one beside the old, which goes when the new one serves
 * (no downtime). `gives-way`: the old one ends before the new one starts. `restarts`: stopped, then started, as for a
 * database.
 */
export type ServiceEffect = "starts" | "starts-anew" | "gives-way" | "restarts" | "stops" | "keeps-running";

/** One resource of a plan, told in the words of deploying. */
export interface DeployPlanEntry {
  readonly urn: string;
  /** The app that it is a part of; undefined for resources that are none's (a host's agent). */
  readonly app: string | undefined;
  /** `release`, `backup`, `accessories`, `bundle`, `site`, `agent`; the type's last word for other resources. */
  readonly part: string;
  readonly name: string;
  readonly operation: PlannedOperation;
  readonly changes: readonly PlannedChange[];
  /** Digest over the inputs of what is made, of which there are no changes to tell. A secret counts as one, not its value. */
  readonly made?: string;
  readonly drift: readonly string[];
  /** The deployment that the secrets of a release are from, where they are not those that are set. */
  readonly secretsOf?: number;
  /** How the release takes the place of the one before, where that is not the usual way. */
  readonly strategy?: string;
  /** Planned offline: what runs may be different from what was applied last. */
  readonly driftUnknown?: true;
  /** A bundle that is deployed for the first time, and that nobody has signed. */
  readonly unsigned?: true;
  readonly services: Readonly<Record<string, ServiceEffect>>;
  /** Of a migration: the files that come, and those that the program has no more. */
  readonly migrations?: PlannedMigrations;
  /** Of a backup: the newest verified one that the host has, and the largest age that the deploy goes on with. */
  readonly backup?: PlannedBackup;
}

export interface PlannedBackup {
  /** Unix time in ms; undefined where there is none. */
  readonly takenAtMs: number | undefined;
  readonly maxAgeMinutes: number;
}

/** A whole plan, in the order in which people read it. */
export interface DeployPlan {
  readonly stack: string;
  readonly entries: readonly DeployPlanEntry[];
}

/** Inputs of a resource before and after, as the engine told them. */
export interface ResourceInputs {
  readonly old: Readonly<Record<string, unknown>> | undefined;
  readonly new: Readonly<Record<string, unknown>> | undefined;
  /** What the host made of it, as it was read last. */
  readonly outputs?: Readonly<Record<string, unknown>> | undefined;
}

const ownTypes = /^ikoma:(?:vps|data):/;
const partOrder = [
  "agent",
  "bundle",
  "accessories",
  "backup",
  "supabase",
  "migration",
  "migration-command",
  "release",
  "site",
];
/** One of which two must never run at once. */
const aloneService = z.looseObject({ overlap: z.literal(false) });
const services = z.record(z.string(), z.unknown()).catch({});

/** Steps that know nothing of what is wanted; the last one of a replacement only takes the old one away. */
const untold = new Set(["refresh", "read", "delete-replaced"]);

/** Inputs that go along, and may be others in another run of the same plan. */
const passing = new Set<string>([...notedReleaseFields, "reference", "proofs", "signatureProblem", "isRollback"]);

/** Keeps, of the events of a run, the inputs of each resource: what a plan needs besides the engine's differences. */
export class InputsCollector {
  readonly #byUrn = new Map<string, ResourceInputs>();

  add(event: EngineEvent): void {
    if (event.type !== "step" || untold.has(event.step.op)) return;
    this.#byUrn.set(event.step.urn, {
      old: event.step.old?.inputs,
      new: event.step.new?.inputs,
      outputs: event.step.old?.outputs,
    });
  }

  of(urn: string): ResourceInputs {
    return this.#byUrn.get(urn) ?? { old: undefined, new: undefined };
  }
}

/** Tells a plan of the engine in the words of deploying: per app and part, and what happens to each service. */
export function describePlan(stack: string, plan: readonly PlannedResource[], inputs: InputsCollector): DeployPlan {
  const entries = plan.map((resource) => describeResource(resource, inputs.of(resource.urn)));
  entries.sort((a, b) => compare(a.app ?? "", b.app ?? "") || rank(a.part) - rank(b.part) || compare(a.name, b.name));
  return { stack, entries };
}

/** Whether applying the plan would do anything. */
export function changesAnything(plan: DeployPlan): boolean {
  return plan.entries.some((entry) => entry.operation !== "same");
}

/** `release` of `ikoma:vps:Release`, `migration-command` of `ikoma:data:MigrationCommand`; the last word of other types. */
export function partOfType(type: string): string {
  const word = type.split(/[:/]/).at(-1) ?? type;
  return ownTypes.test(type) ? word.replace(/([a-z])([A-Z])/g, "$1-$2").toLowerCase() : word;
}

function describeResource(resource: PlannedResource, inputs: ResourceInputs): DeployPlanEntry {
  const { urn, type, name, operation, changes, drift, driftUnknown } = resource;
  const part = partOfType(type);
  const app = inputs.new?.app ?? inputs.old?.app;
  const effects = serviceEffects(part, resource, inputs);
  return {
    urn,
    app: typeof app === "string" ? app : undefined,
    part,
    name,
    operation,
    changes,
    drift,
    services: effects,
    ...(isMade(operation) && { made: digestOf(inputs) }),
    ...(driftUnknown !== undefined && { driftUnknown }),
    ...factsOfPart(part, resource, inputs),
  };
}

/** Also what takes the place of another one: the engine tells no differences between the two. */
function isMade(operation: PlannedOperation): boolean {
  return operation === "create" || operation === "replace";
}

function digestOf(inputs: ResourceInputs): string {
  const told = Object.entries(inputs.new ?? {}).filter(([name]) => !passing.has(name));
  const hash = createHash("sha256").update(canonicalJson(Object.fromEntries(told)));
  return `sha256:${hash.digest("hex")}`;
}

/** What is told of one kind of resource and of no other. */
function factsOfPart(part: string, resource: PlannedResource, inputs: ResourceInputs): Partial<DeployPlanEntry> {
  const { secretsOf, strategy, proofs } = inputs.new ?? {};
  switch (part) {
    case "bundle":
      return resource.operation === "create" && proofs === undefined ? { unsigned: true } : {};
    case "backup":
      return resource.operation === "delete" ? {} : plannedBackup(inputs);
    case "migration":
      return { migrations: plannedMigrations(resource, inputs) };
    case "release":
      return {
        ...(typeof secretsOf === "number" && { secretsOf }),
        ...(typeof strategy === "string" && { strategy }),
      };
    default:
      return {};
  }
}

function plannedBackup({ new: inputs, outputs }: ResourceInputs): Pick<DeployPlanEntry, "backup"> {
  const asked = z.object({ maxAgeMinutes: z.number() }).safeParse(inputs);
  const newest = z.object({ takenAtMs: z.number() }).safeParse(outputs?.["newest"]);
  if (!asked.success) return {};
  return { backup: { takenAtMs: newest.data?.takenAtMs, maxAgeMinutes: asked.data.maxAgeMinutes } };
}

function serviceEffects(
  part: string,
  { operation, changes }: PlannedResource,
  inputs: ResourceInputs,
): Record<string, ServiceEffect> {
  if (part !== "release" && part !== "accessories") return {};
  const before = Object.keys(services.parse(inputs.old?.services));
  const after = operation === "delete" ? [] : Object.keys(services.parse((inputs.new ?? inputs.old)?.services));
  const started = isMade(operation) ? [] : before;
  const effectOnKept =
    part === "release" ? releaseEffect(changes, inputs) : (name: string) => accessoryEffect(name, changes);
  const stopping = before.filter((name) => !after.includes(name)).map((name) => [name, "stops"] as const);
  const staying = after.map((name) => [name, started.includes(name) ? effectOnKept(name) : "starts"] as const);
  return Object.fromEntries([...stopping, ...staying]);
}

/** A release is made anew as a whole, whichever of its fields differs. */
function releaseEffect(changes: readonly PlannedChange[], inputs: ResourceInputs): (name: string) => ServiceEffect {
  if (changes.every(({ path }) => isNotedOnly(firstStep(path)))) return () => "keeps-running";
  const isReplaced = inputs.new?.["strategy"] === "replace";
  const isAlone = (name: string): boolean =>
    [inputs.old, inputs.new].some((each) => aloneService.safeParse(services.parse(each?.services)[name]).success);
  return (name) => (isReplaced || isAlone(name) ? "gives-way" : "starts-anew");
}

/** Whether the release of the plan is another deployment, and not only noted down. */
export function isNewDeployment({ part, services: effects }: DeployPlanEntry): boolean {
  return part === "release" && Object.values(effects).some((each) => each === "starts-anew" || each === "gives-way");
}

function accessoryEffect(name: string, changes: readonly PlannedChange[]): ServiceEffect {
  return isTouched(name, changes) ? "restarts" : "keeps-running";
}

/** `services.web.image` and `services["my.web"].image` both begin with `services`. */
function firstStep(path: string): string {
  return path.split(/[.[]/, 1)[0] ?? path;
}

function isTouched(service: string, changes: readonly PlannedChange[]): boolean {
  const starts = [`services.${service}`, `services[${JSON.stringify(service)}]`];
  return changes.some(
    ({ path }) =>
      path === "services" ||
      starts.some((start) => path === start || path.startsWith(`${start}.`) || path.startsWith(`${start}[`)),
  );
}

function rank(part: string): number {
  const index = partOrder.indexOf(part);
  return index === -1 ? partOrder.length : index;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
