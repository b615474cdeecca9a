import { afterEach, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import type { Part } from "../../src/agent/protocol/operations.ts";
import { IkomaError } from "../../src/core/errors.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { digestOf, hostAddress, hostProgram, imageOf, releaseInputs, releaseProgram } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

async function stackOn(agent: FakeAgent): Promise<TestStack> {
  const stack = await TestStack.create({ [hostAddress]: agent });
  stacks.push(stack);
  return stack;
}

interface Case {
  part: Part;
  token: string;
  inputs: pulumi.Inputs;
  changed: pulumi.Inputs;
  /** Property that differs between the two. */
  path: string;
}

const service = (digit: string): pulumi.Inputs => ({ kind: "web", image: imageOf(digit), environment: { MODE: "a" } });
const release = releaseInputs("v1");
const cases: Case[] = [
  {
    part: "release",
    token: "ikoma:vps:Release",
    inputs: release,
    changed: { ...release, services: { web: service("2") } },
    path: "services.web.image",
  },
  {
    part: "accessories",
    token: "ikoma:vps:Accessories",
    inputs: { app: "shop", services: { db: service("1") } },
    changed: { app: "shop", services: { db: service("2") } },
    path: "services.db.image",
  },
  {
    part: "bundle",
    token: "ikoma:vps:Bundle",
    inputs: { app: "shop", bundle: digestOf("c"), images: [imageOf("1")] },
    changed: { app: "shop", bundle: digestOf("d"), images: [imageOf("1")] },
    path: "bundle",
  },
  {
    part: "backup",
    token: "ikoma:data:Backup",
    inputs: { app: "shop", release: "a", maxAgeMinutes: 60 },
    changed: { app: "shop", release: "b", maxAgeMinutes: 60 },
    path: "release",
  },
  {
    part: "site",
    token: "ikoma:vps:Site",
    inputs: { app: "shop", domains: ["a.example"] },
    changed: { app: "shop", domains: ["b.example"] },
    path: "domains[0]",
  },
];

test.each(cases)(
  "$token: planned, created, left alone, updated, drifted, repaired, destroyed",
  async ({ part, token, inputs, changed, path }) => {
    const agent = new FakeAgent();
    const stack = await stackOn(agent);

    const planned = await stack.preview(hostProgram(token, inputs));
    expect(planned.plan).toMatchObject([{ type: token, name: "shop", operation: "create" }]);
    expect(agent.calls).toEqual([]);

    const created = await stack.up(hostProgram(token, inputs));
    expect(created.changes).toEqual({ create: 1, update: 0, delete: 0, same: 0 });
    expect(agent.part("shop", part)?.exists).toBe(true);
    expect(created.outputs["number"]).toBe(part === "release" ? 1 : undefined);

    const again = await stack.up(hostProgram(token, inputs));
    expect(again.changes).toEqual({ create: 0, update: 0, delete: 0, same: 1 });
    expect(agent.started).toHaveLength(1);

    const updated = await stack.up(hostProgram(token, changed));
    expect(updated.plan).toMatchObject([{ operation: "update", changes: [{ path, kind: "update" }] }]);
    expect(agent.started).toHaveLength(2);

    agent.part("shop", part)?.drift.push({ path, message: "changed by hand" });
    const drifted = await stack.run("drift", hostProgram(token, changed));
    expect(drifted.plan).toMatchObject([{ operation: "same", drift: [`${path}: changed by hand`] }]);
    const seen = await stack.preview(hostProgram(token, changed));
    expect(seen.plan).toMatchObject([
      { operation: "update", drift: [`${path}: changed by hand`], changes: [{ path }] },
    ]);
    expect(agent.started).toHaveLength(2);
    const repaired = await stack.up(hostProgram(token, changed));
    expect(repaired.changes.update).toBe(1);
    expect(agent.part("shop", part)?.drift).toEqual([]);

    const destroyed = await stack.destroy();
    expect(destroyed.changes.delete).toBe(1);
    expect(agent.part("shop", part)?.exists).toBe(false);
  },
);

test("an app that is gone from the host is planned to be created again", async () => {
  const agent = new FakeAgent();
  const stack = await stackOn(agent);
  const program = releaseProgram("v1");
  await stack.up(program);
  Object.assign(agent.part("shop", "release") ?? {}, { exists: false });

  const planned = await stack.preview(program);
  expect(planned.plan).toMatchObject([{ operation: "create", drift: ["it is gone from the host"] }]);
  await stack.up(program);
  expect(agent.part("shop", "release")?.exists).toBe(true);
});

test("an update that the host took back fails with its code, and the next up plans the same change again", async () => {
  const agent = new FakeAgent();
  const stack = await stackOn(agent);
  await stack.up(releaseProgram("v1"));
  agent.failNext(
    "release.apply",
    new IkomaError("RELEASE_UNHEALTHY", "web did not become healthy", { details: { log: ["boom"] } }),
  );
  const next = releaseProgram("v2");

  await expect(stack.up(next)).rejects.toMatchObject({
    code: "RELEASE_UNHEALTHY",
    message: "web did not become healthy",
  });
  expect(await stack.stateText()).toContain('"version":"v1"');
  expect(await stack.stateText()).not.toContain('"version":"v2"');

  const planned = await stack.preview(next);
  expect(planned.plan).toMatchObject([{ operation: "update", changes: [{ path: "version", old: "v1", new: "v2" }] }]);
  await stack.up(next);
  expect(agent.started.map(({ kind }) => kind)).toEqual(["release.apply", "release.apply", "release.apply"]);
});

test("what says how to roll out goes along with a change and is no reason for one", async () => {
  const agent = new FakeAgent();
  const stack = await stackOn(agent);
  await stack.up(releaseProgram("v1"));
  const result = await stack.up(
    hostProgram("ikoma:vps:Release", {
      ...{ ...release, source: { bundle: "x" }, note: "again", keep: 9 },
      ...{ redeploy: true, rollbackTo: 1, bake: { seconds: 5 } },
    }),
  );
  expect(result.changes.same).toBe(1);
  expect(agent.started).toHaveLength(1);
});

test("an unknown setting is refused with its path and the nearest name, and its value is not shown", async () => {
  const stack = await stackOn(new FakeAgent());
  const program = hostProgram("ikoma:vps:Release", { ...release, servces: pulumi.secret("hunter2-hunter2") });
  const error = await stack.preview(program).catch((each: unknown) => each);
  expect(error).toMatchObject({ code: "CONFIG_INVALID" });
  expect(String(error)).toContain('servces: unknown setting; did you mean "services"?');
  expect(String(error)).not.toContain("hunter2");
});
