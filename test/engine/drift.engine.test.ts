import { afterEach, expect, test } from "@jest/globals";
import * as pulumi from "@pulumi/pulumi";
import { driftReport } from "../../src/core/deployer/drift-report.ts";
import type { ReadReport } from "../../src/provider/read-report.ts";
import { FakeAgent } from "../doubles/agent.ts";
import { AnyResource, IkomaHost, releaseInputs } from "./programs.ts";
import { TestStack } from "./test-stack.ts";

const stacks: TestStack[] = [];

afterEach(async () => {
  for (const stack of stacks.splice(0)) await stack.remove();
});

/** An app `shop` on each of two hosts; what its command holds is a secret. */
const twoHosts = () => {
  const command = pulumi.secret("serve --token hunter2-first");
  for (const [index, name] of ["vps1", "vps2"].entries()) {
    const host = new IkomaHost(name, `10.0.0.${index + 1}`);
    new AnyResource("ikoma:vps:Release", `shop-${name}`, { ...releaseInputs("v1", { COMMAND: command }) }, host);
    new AnyResource("ikoma:vps:Site", `shop-${name}`, { app: "shop", domains: [] }, host);
  }
  return Promise.resolve({});
};

async function applied(): Promise<{ stack: TestStack; agents: [FakeAgent, FakeAgent] }> {
  const agents: [FakeAgent, FakeAgent] = [new FakeAgent(), new FakeAgent()];
  const stack = await TestStack.create({ "10.0.0.1": agents[0], "10.0.0.2": agents[1] });
  stacks.push(stack);
  await stack.up(twoHosts);
  return { stack, agents };
}

async function look(stack: TestStack) {
  const reads: ReadReport[] = [];
  await stack.run("drift", twoHosts, { onRead: (report) => reads.push(report) });
  return driftReport("dev", reads);
}

test("a drift is told by host, app, part and path, without a secret; neither state nor host changes", async () => {
  const { stack, agents } = await applied();
  expect(await look(stack)).toEqual({ stack: "dev", state: "clean", checked: 4, differences: [], unreadable: [] });

  const drift = agents[1].part("shop", "release")?.drift;
  drift?.push({ path: "services.web.image", message: "web: another", wanted: "a", found: "b" });
  drift?.push({ path: "services.web.command", message: "runs serve --token hunter2-first", found: "hunter2-first" });
  Object.assign(agents[0].part("shop", "site") ?? {}, { exists: false });
  const before = await stack.stateText();
  const started = agents.map((each) => each.started.length);

  const report = await look(stack);
  const release = { host: "vps2", app: "shop", part: "release", name: "shop-vps2" };
  const anew = "deploys the release anew beside this one (no downtime)";
  expect(report).toMatchObject({ state: "drifted", checked: 4, unreadable: [] });
  expect(report.differences).toEqual([
    {
      host: "vps1",
      app: "shop",
      part: "site",
      name: "shop-vps1",
      path: "",
      message: "it is gone from the host",
      repair: "makes it anew",
    },
    { ...release, path: "services.web.image", message: "web: another", wanted: "a", found: "b", repair: anew },
    { ...release, path: "services.web.command", message: "it differs; what it is holds a secret", repair: anew },
  ]);
  expect(await stack.stateText()).toBe(before);
  expect(agents.map((each) => each.started.length)).toEqual(started);
});

test("a host that does not answer is unknown, and hides no other", async () => {
  const { stack, agents } = await applied();
  delete stack.agents["10.0.0.1"];
  const report = await look(stack);
  expect(report).toMatchObject({ state: "unknown", checked: 2, differences: [] });
  const away = { host: "vps1", app: "shop", code: "HOST_UNREACHABLE", message: "10.0.0.1 does not answer." };
  expect(report.unreadable).toMatchObject([
    { ...away, part: "release" },
    { ...away, part: "site" },
  ]);

  agents[1].part("shop", "release")?.drift.push({ path: "routes", message: "none" });
  expect(await look(stack)).toMatchObject({ state: "drifted", differences: [{ host: "vps2", path: "routes" }] });
});
