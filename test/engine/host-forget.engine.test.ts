import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import { forgetInStack, planForget, refuseInUse } from "../../src/core/hosts/host-forget.ts";
import { FakeAgent } from "../doubles/agent.ts";
import type { Program } from "../../src/core/engine/language-server.ts";
import { AnyResource, IkomaHost, imageOf, releaseInputs } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

let stack: TestStack;
const saved = { ...process.env };

afterEach(async () => {
  process.env = { ...saved };
  await stack.remove();
});

/** An app on each of two hosts, each with protected accessories; one depends on what is on the other host. */
function twoHosts(names: readonly string[]): Program {
  return () => {
    let before: pulumi.Resource[] = [];
    for (const name of names) {
      const host = new IkomaHost(name, `10.0.0.${name.slice(-1)}`);
      const app = new pulumi.ComponentResource("ikoma:index:App", `app-${name}`);
      const db = { kind: "accessory", image: imageOf("2"), environment: { PASSWORD: pulumi.secret("hunter2") } };
      const inputs = { app: "shop", services: { db } };
      const database = new AnyResource("ikoma:vps:Accessories", `db-${name}`, inputs, host, {
        parent: app,
        protect: true,
        dependsOn: before,
      });
      const dependsOn = [database];
      before = [
        new AnyResource("ikoma:vps:Release", `shop-${name}`, releaseInputs("v1"), host, { parent: app, dependsOn }),
      ];
    }
    return Promise.resolve({});
  };
}

const settings = `# Kept.
config:
  ikoma:hosts:
    vps1: { address: 10.0.0.1, hostKey: ssh-ed25519 AAAA } # dead
    vps2: { address: 10.0.0.2, hostKey: ssh-ed25519 AAAA }
  ikoma:apps:
    shop: { host: vps1 }
`;

function forget(host: string) {
  return {
    folder: stack.workDir,
    host,
    waitForLockMs: 0,
    signal: new AbortController().signal,
    onRepair: () => undefined,
  };
}

test("a dead host is forgotten without a call to any host; the other one's resources and all secrets stay", async () => {
  const [first, second] = [new FakeAgent(), new FakeAgent()];
  stack = await TestStack.create({ "10.0.0.1": first, "10.0.0.2": second });
  await stack.up(twoHosts(["vps1", "vps2"]));
  await writeFile(stack.configFile, `${await readFile(stack.configFile, "utf8").catch(() => "")}${settings}`);
  // What the command's own process has, in which this runs.
  Object.assign(process.env, stack.env);
  const secret = ["config", "set", "--secret", "--path", "ikoma:secrets.shop.PASSWORD", "hunter2", "--stack", "dev"];
  await promisify(execFile)("pulumi", secret, { cwd: stack.workDir, env: process.env });
  const before = await stack.configText();
  const asked = second.calls.length;

  const [plan, ...others] = await planForget(stack.workDir, "vps1", undefined);
  expect([plan, others]).toMatchObject([
    {
      stack: "dev",
      isConfigured: true,
      apps: ["shop"],
      resources: ["accessories db-vps1", "release shop-vps1"],
      leftovers: [
        expect.stringContaining("pulumi:providers:ikoma::vps1") as unknown,
        expect.stringContaining("ikoma:index:App::app-vps1") as unknown,
      ],
    },
    [],
  ]);
  if (plan === undefined) return;
  expect(() => {
    refuseInUse("vps1", [plan]);
  }).toThrow("Apps are configured on vps1: shop (stack dev).");

  await forgetInStack(forget("vps1"), plan);
  const state = await stack.stateText();
  expect(state).not.toContain("vps1");
  expect(state).toContain("db-vps2");
  const text = await stack.configText();
  expect(parse(text)).toEqual(parse(before.replace(/^ +vps1:.*\n(?: {6,}.*\n)*/m, "")));
  expect(text).toContain("# Kept.");
  expect(text).not.toContain("vps1:");
  expect(text).toMatch(/PASSWORD:\s+secure: v1:/);
  expect(await stack.allState()).toContain("ikoma host forget vps1");
  expect([first.started.length, second.calls.length]).toEqual([2, asked]);

  delete stack.agents["10.0.0.1"];
  const after = await stack.up(twoHosts(["vps2"]));
  expect(after.changes).toEqual({ create: 0, update: 0, delete: 0, same: 2 });
});

test("what a killed deploy left open on the host is forgotten with it", async () => {
  stack = await TestStack.create({ "10.0.0.1": new FakeAgent() });
  await stack.up(twoHosts(["vps1"]));
  const path = join(stack.stateDir, ".pulumi/stacks/engine-test/dev.json");
  const state = JSON.parse(await readFile(path, "utf8")) as {
    checkpoint: { latest: { resources: { type: string }[]; pending_operations?: unknown[] } };
  };
  const resource = state.checkpoint.latest.resources.find(({ type }) => type === "ikoma:vps:Release");
  state.checkpoint.latest.pending_operations = [{ resource, type: "creating" }];
  await writeFile(path, JSON.stringify(state));
  Object.assign(process.env, stack.env);

  const [plan] = await planForget(stack.workDir, "vps1", undefined);
  if (plan === undefined) throw new Error("nothing is planned");
  await forgetInStack(forget("vps1"), plan);
  expect(await stack.stateText()).not.toMatch(/vps1|pending_operations/);
});

test("a host that nothing knows is named, with the nearest that is known", async () => {
  stack = await TestStack.create({}, settings);
  Object.assign(process.env, stack.env);
  await expect(planForget(stack.workDir, "vps3", undefined)).rejects.toMatchObject({
    code: "CONFIG_MISSING",
    hint: expect.stringMatching(/Did you mean vps[12]\?/) as unknown,
  });
});
