import { expect, test } from "@jest/globals";
import { parseEngineEvent } from "./engine-event.ts";
import { countPlan, PlanBuilder, shownOutputs } from "./plan.ts";

const secret = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "[secret]" };
const urnOf = (name: string): string => `urn:pulumi:prod::p::ikoma:index:App$ikoma:vps:Release::${name}`;

interface Told {
  kind?: "resourcePreEvent" | "resOutputsEvent";
  op: string;
  name?: string;
  type?: string;
  custom?: boolean;
  old?: object | null;
  new?: object | null;
  detailedDiff?: object;
}

/** A plan from events, in the engine's own words. */
function planOf(told: readonly Told[]): PlanBuilder {
  const plan = new PlanBuilder();
  for (const {
    kind = "resourcePreEvent",
    op,
    name = "shop",
    type = "ikoma:vps:Release",
    custom = true,
    detailedDiff,
    ...states
  } of told) {
    const state = (given: object | null | undefined): object | null | undefined =>
      given && { custom, inputs: {}, outputs: {}, ...given };
    const metadata = { op, urn: urnOf(name), type, old: state(states.old), new: state(states.new), detailedDiff };
    const event = parseEngineEvent(JSON.stringify({ sequence: 1, timestamp: 1, [kind]: { metadata } }));
    if (event !== undefined) plan.add(event);
  }
  return plan;
}

test("an update tells its properties with values, and secrets as changed", () => {
  const { resources } = planOf([
    {
      op: "update",
      old: { inputs: { version: "v1", env: { PW: secret } } },
      new: { inputs: { version: "v2", env: { PW: secret }, added: [1] } },
      detailedDiff: {
        version: { diffKind: "update" },
        "env.PW": { diffKind: "update" },
        "added[0]": { diffKind: "add" },
      },
    },
  ]);
  expect(resources).toEqual([
    {
      urn: urnOf("shop"),
      type: "ikoma:vps:Release",
      name: "shop",
      operation: "update",
      drift: [],
      changes: [
        { path: "version", kind: "update", replaces: false, old: "v1", new: "v2" },
        { path: "env.PW", kind: "update", replaces: false, old: "[secret]", new: "[secret]" },
        { path: "added[0]", kind: "add", replaces: false, new: 1 },
      ],
    },
  ]);
});

test("what a refresh finds is drift; the step after it is what is done about it", () => {
  const { resources } = planOf([
    { op: "refresh", old: {}, new: {} },
    { kind: "resOutputsEvent", op: "update", old: {}, new: { outputs: { drift: ["services.web: gone"] } } },
    { op: "update", old: {}, new: {}, detailedDiff: {} },
    { op: "refresh", name: "other", old: {}, new: {} },
    { kind: "resOutputsEvent", op: "delete", name: "other", old: {}, new: null },
    { op: "create", name: "other", new: {} },
  ]);
  expect(resources).toMatchObject([
    { name: "shop", operation: "update", drift: ["services.web: gone"] },
    { name: "other", operation: "create", drift: ["it is gone from the host"] },
  ]);
});

test("a replacement is one entry whatever steps it takes, and counts as one made and one taken away", () => {
  const { resources } = planOf([
    { op: "create-replacement", old: {}, new: {} },
    { op: "replace", old: {}, new: {}, detailedDiff: { app: { diffKind: "update-replace" } } },
    { op: "delete-replaced", old: {} },
    { op: "same", name: "other", old: {}, new: {} },
  ]);
  expect(resources).toMatchObject([
    { operation: "replace", changes: [{ path: "app", replaces: true }] },
    { operation: "same" },
  ]);
  expect(countPlan(resources)).toEqual({ create: 1, update: 0, delete: 1, same: 1 });
});

test("the stack, providers and components are no part of a plan", () => {
  const plan = planOf([
    { op: "create", type: "pulumi:pulumi:Stack", custom: false, new: {} },
    { op: "create", name: "vps1", type: "pulumi:providers:ikoma", new: {} },
    { op: "create", name: "app", type: "ikoma:index:App", custom: false, new: {} },
  ]);
  expect(plan.resources).toEqual([]);
});

test("outputs are shown with secrets masked, however deep", () => {
  expect(shownOutputs({ a: { b: [secret, 1] }, c: null })).toEqual({ a: { b: ["[secret]", 1] }, c: null });
});

test("colour marks are taken out of diagnostics, and debug messages are left out", () => {
  const diagnostic = (severity: string): string =>
    JSON.stringify({ diagnosticEvent: { severity, message: "<{%reset%}>careful<{%reset%}>\n", color: "never" } });
  expect(parseEngineEvent(diagnostic("warning"))).toEqual({
    type: "diagnostic",
    severity: "warning",
    message: "careful",
    ephemeral: false,
  });
  expect(parseEngineEvent(diagnostic("debug"))).toBeUndefined();
});

test("says nothing of a plugin on PATH that is not the one in use", () => {
  const message = "using pulumi-resource-ikoma from $PATH at /usr/bin/pulumi-resource-ikoma";
  expect(parseEngineEvent(JSON.stringify({ diagnosticEvent: { message, severity: "warning" } }))).toBeUndefined();
});
