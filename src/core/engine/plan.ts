import { driftUnknown } from "../config/offline.ts";
import { parsePath, type PropertyPath } from "../../provider/wire/property-path.ts";
import type { EngineEvent, EngineStep } from "./engine-event.ts";

/** What happens to a resource. `replace` is a new one in place of the old. */
export type PlannedOperation = "create" | "update" | "delete" | "replace" | "same";

/** One property that changes. */
export interface PlannedChange {
  path: string;
  kind: "add" | "delete" | "update";
  /** Values before and after; `[secret]` stands for a secret one. */
  old?: unknown;
  new?: unknown;
  /** This change is the reason for a replacement. */
  replaces: boolean;
}

/** One resource of a plan. The stack, its providers and components are left out: nothing happens to them on a host. */
export interface PlannedResource {
  urn: string;
  type: string;
  name: string;
  operation: PlannedOperation;
  changes: PlannedChange[];
  /** What was found on the host to be different from what was applied last. */
  drift: string[];
  /** The host was not looked at (offline): it may be different. */
  driftUnknown?: true;
}

/** How many resources of a plan are touched, and how. A replaced one counts as created and deleted. */
export interface PlanCounts {
  create: number;
  update: number;
  delete: number;
  same: number;
}

/** The plan that a run's events tell, as they come. */
export class PlanBuilder {
  readonly #resources = new Map<string, PlannedResource>();
  /** Resources whose next "done" tells what a refresh found; its operation says "same" or "update" then. */
  readonly #refreshing = new Set<string>();
  readonly #unknown = new Set<string>();

  add(event: EngineEvent): void {
    if (event.type === "done" && this.#refreshing.delete(event.step.urn)) this.refreshed(event.step);
    else if (event.type === "step" && event.step.op === "refresh") this.#refreshing.add(event.step.urn);
    else if (event.type === "step") this.planned(event.step);
    else if (event.type === "diagnostic" && event.message === driftUnknown) this.#unknown.add(event.urn ?? "");
  }

  get resources(): PlannedResource[] {
    return [...this.#resources.values()].map((each) =>
      this.#unknown.has(each.urn) ? { ...each, driftUnknown: true } : each,
    );
  }

  private planned(step: EngineStep): void {
    const operation = operations[step.op];
    if (operation === undefined || !isCounted(step)) return;
    this.renamed(step);
    const known = this.resource(step);
    // In the order in which things are done; refreshes came before, in an order of their own.
    this.#resources.delete(step.urn);
    this.#resources.set(step.urn, known);
    known.operation = known.operation === "replace" ? "replace" : operation;
    if (step.detailedDiff) known.changes = changesOf(step);
  }

  /** By an alias: the refresh knew it by its old name still. */
  private renamed({ urn, old }: EngineStep): void {
    const before = old?.urn === undefined ? undefined : this.#resources.get(old.urn);
    if (before === undefined || before.urn === urn) return;
    this.#resources.delete(before.urn);
    this.#resources.set(urn, { ...before, urn, name: nameOf(urn) });
  }

  /** A refresh before the real step tells what is different; the step that follows tells what is done about it. */
  private refreshed(step: EngineStep): void {
    if (!isCounted(step)) return;
    const known = this.resource(step);
    known.drift = driftOf(step);
  }

  private resource(step: EngineStep): PlannedResource {
    const { urn, type } = step;
    const known = this.#resources.get(urn) ?? {
      urn,
      type,
      name: nameOf(urn),
      operation: "same",
      changes: [],
      drift: [],
    };
    this.#resources.set(urn, known);
    return known;
  }
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

/** Counts a plan by what it does. */
export function countPlan(plan: readonly PlannedResource[]): PlanCounts {
  const counts: PlanCounts = { create: 0, update: 0, delete: 0, same: 0 };
  for (const { operation } of plan) {
    if (operation === "replace") {
      counts.create += 1;
      counts.delete += 1;
    } else counts[operation] += 1;
  }
  return counts;
}

/** The engine's operations; those that only read are no part of a plan. */
const operations: Readonly<Record<string, PlannedOperation>> = {
  create: "create",
  update: "update",
  delete: "delete",
  same: "same",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
};

function isCounted(step: EngineStep): boolean {
  const custom = (step.new ?? step.old)?.custom;
  return custom === true && !step.type.startsWith("pulumi:");
}

function driftOf(step: EngineStep): string[] {
  if (!step.new) return ["it is gone from the host"];
  const told = step.new.outputs["drift"];
  return Array.isArray(told) ? told.filter((each) => typeof each === "string") : [];
}

function changesOf(step: EngineStep): PlannedChange[] {
  return Object.entries(step.detailedDiff ?? {}).map(([text, { diffKind }]) => {
    const path = parsePath(text) ?? [text];
    const before = shown(valueAt(step.old?.inputs, path));
    const after = shown(valueAt(step.new?.inputs, path));
    const change = { path: text, kind: kindOf(diffKind), replaces: diffKind.endsWith("-replace") };
    return { ...change, ...(before !== undefined && { old: before }), ...(after !== undefined && { new: after }) };
  });
}

function kindOf(diffKind: string): PlannedChange["kind"] {
  if (diffKind.startsWith("add")) return "add";
  return diffKind.startsWith("delete") ? "delete" : "update";
}

function valueAt(root: unknown, path: PropertyPath): unknown {
  return path.reduce((value, step) => (isRecord(value) && Object.hasOwn(value, step) ? value[step] : undefined), root);
}

/** The engine masks what is secret, and keeps its wrapping. */
function shown(value: unknown): unknown {
  if (!isRecord(value)) return value;
  if ("4dabf18193072939515e22adb298388d" in value) return "[secret]";
  if (Array.isArray(value)) return value.map(shown);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shown(each)]));
}

function isRecord(value: unknown): value is Record<string | number, unknown> {
  return typeof value === "object" && value !== null;
}

/** Plain values of a stack's outputs, secrets masked. */
export function shownOutputs(outputs: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, shown(value)]));
}
