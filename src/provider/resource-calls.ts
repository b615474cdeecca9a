import type { Drift } from "../agent/protocol/views.ts";
import { IkomaError } from "../core/errors.ts";
import { inputProblems } from "./check-inputs.ts";
import { becomesSecret, differences, type Difference } from "./detailed-diff.ts";
import { formatPath, parsePath, withProperty } from "./wire/property-path.ts";
import {
  isMap,
  mapFromJson,
  mapSealedLike,
  propertyOf,
  reveal,
  secretTexts,
  type PropertyMap,
} from "./wire/property-values.ts";
import type { AppliedState, Computed, ReadOutcome, ResourceCall, ResourceHandler } from "./resource-handler.ts";

/** What stands in for a value that was changed behind Pulumi's back; the real one may be a secret. */
export const differentOnHost = "(differs on the host)";

/** A resource as the engine stores it. */
export interface Stored {
  id: string;
  inputs: PropertyMap;
  outputs: PropertyMap;
}

/** A resource that stands on the host: what differs, or why that is not known. */
type Found = Omit<Stored, "id"> & ({ drift: Drift[] } | { unread: IkomaError });

/** One property of a diff. */
export interface Change extends Difference {
  replaces: boolean;
}

/** What differs between the inputs in the state and the program's, and whether that makes another resource. */
export function changes(
  handler: Pick<ResourceHandler, "identity" | "silent" | "isChange">,
  olds: PropertyMap,
  news: PropertyMap,
): Change[] {
  const found = differences(olds, news, handler.silent);
  const changed = found.filter((difference) => handler.isChange?.(difference) ?? true);
  // Applied once more, it is a secret in the state and to the host, which restarts nothing for that.
  if (changed.length === 0 && becomesSecret(olds, news))
    return [{ path: ["secrets"], kind: "update", replaces: false }];
  return changed.map((difference) => ({
    ...difference,
    replaces: handler.identity.includes(String(difference.path[0])),
  }));
}

/** Throws what a change to these inputs would throw, as far as the host can tell beforehand. */
export async function plan(
  handler: ResourceHandler,
  call: ResourceCall,
  inputs: PropertyMap,
  stored: Stored | undefined,
): Promise<void> {
  await handler.plan?.(call, plainInputs(handler, inputs), stored && appliedState(handler, stored));
}

/** Creates the resource and answers what the state is to keep: the inputs as applied, and what the host made of them. */
export async function create(
  handler: ResourceHandler,
  call: ResourceCall,
  inputs: PropertyMap,
): Promise<{ id: string; outputs: PropertyMap }> {
  const { id, computed } = await handler.create(
    { ...call, secrets: secretTexts(inputs) },
    plainInputs(handler, inputs),
  );
  return { id, outputs: { ...inputs, ...mapFromJson({ ...computed, drift: [] }) } };
}

export async function update(
  handler: ResourceHandler,
  call: ResourceCall,
  stored: Stored,
  inputs: PropertyMap,
): Promise<PropertyMap> {
  const computed = await handler.update(
    { ...call, secrets: secretTexts(inputs) },
    appliedState(handler, stored),
    plainInputs(handler, inputs),
  );
  return { ...inputs, ...mapFromJson({ ...computed, drift: [] }) };
}

export async function remove(handler: ResourceHandler, call: ResourceCall, stored: Stored): Promise<void> {
  await handler.delete(call, appliedState(handler, stored));
}

/**
 * The resource as it stands on the host; undefined when it does not. Drift shows in the inputs, where the engine
 * compares; the outputs keep what was applied, to compare with at the next read.
 */
export async function read(handler: ResourceHandler, call: ResourceCall, stored: Stored): Promise<Found | undefined> {
  const outcome: ReadOutcome = await handler.read(call, appliedState(handler, stored));
  if (!outcome.exists) return undefined;
  if ("unread" in outcome) {
    const { unread, known } = outcome;
    return { inputs: stored.inputs, outputs: { ...stored.outputs, ...mapFromJson({ ...known }) }, unread };
  }
  const applied = appliedInputs(handler, stored);
  const secrets = secretTexts(applied);
  const drift = outcome.drift.map((each) => withoutSecrets(each, secrets));
  const told = drift.map(({ path, message }) => `${path}: ${message}`);
  return {
    inputs: withDrift(handler, applied, drift),
    outputs: { ...applied, ...mapFromJson({ ...outcome.computed, drift: told }) },
    drift,
  };
}

/** The host does not know which parts of a definition are secret (a command line, a name of a volume): here it is known. */
function withoutSecrets({ path, message, wanted, found }: Drift, secrets: readonly string[]): Drift {
  const isOpen = [message, wanted, found].every((text) => !secrets.some((secret) => text?.includes(secret)));
  if (!isOpen) return { path, message: "it differs; what it is holds a secret" };
  return { path, message, ...(wanted !== undefined && { wanted }), ...(found !== undefined && { found }) };
}

function withDrift(handler: ResourceHandler, applied: PropertyMap, drift: readonly Drift[]): PropertyMap {
  return drift.reduce((inputs, { path: text, message }) => {
    const path = parsePath(text);
    // What cannot be shown at its place must still make a difference.
    if (path === undefined || handler.identity.includes(String(path[0]))) return { ...inputs, drift: message };
    const isService = path.length === 2 && path[0] === "services";
    return withProperty(inputs, path, isService ? undefined : differentOnHost);
  }, applied);
}

/**
 * The inputs that were applied last. They are taken from the outputs: those in the state may show a drift. But they know
 * what is secret by now: the outputs stay as they are where a value becomes a secret and stays the same.
 */
function appliedInputs(handler: ResourceHandler, stored: Stored): PropertyMap {
  const names = Object.keys(handler.inputs.shape);
  const applied = Object.entries(stored.outputs).filter(([name]) => names.includes(name));
  const sealed = mapSealedLike(Object.fromEntries(applied), stored.inputs);
  return (handler.reachedBy ?? []).reduce((inputs, [outer, inner]) => {
    const newest = propertyOf(stored.inputs, outer);
    return isMap(newest) && isMap(propertyOf(inputs, outer))
      ? withProperty(inputs, [outer, inner], propertyOf(newest, inner))
      : inputs;
  }, sealed);
}

function appliedState(handler: ResourceHandler, stored: Stored): AppliedState<Record<string, unknown>> {
  const names = Object.keys(handler.inputs.shape);
  const computed: Computed = Object.fromEntries(
    Object.entries(stored.outputs).flatMap(([name, value]) => (names.includes(name) ? [] : [[name, reveal(value)]])),
  );
  return { id: stored.id, inputs: plainInputs(handler, appliedInputs(handler, stored)), computed };
}

function plainInputs(handler: ResourceHandler, inputs: PropertyMap): Record<string, unknown> {
  const problem = inputProblems(handler.inputs, inputs)[0];
  if (problem !== undefined)
    throw new IkomaError("CONFIG_INVALID", `${handler.token}, ${formatPath(problem.path)}: ${problem.message}`);
  return handler.inputs.parse(reveal(inputs));
}
