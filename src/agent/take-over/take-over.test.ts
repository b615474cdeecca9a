import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { existsSync } from "node:fs";
import type { FakeContainer } from "../../../test/doubles/host/engine.ts";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { labels } from "../engine/containers.ts";
import { AgentContainers } from "./agent-containers.ts";
import { EdgeReplacement } from "./edge-replacement.ts";
import { TakeOver } from "./take-over.ts";

let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
  for (const image of ["agent", "edge"]) on.engine.images.set(image, {});
});

afterEach(async () => {
  await on.dispose();
});

async function agent(name: string, createdOn: string): Promise<FakeContainer> {
  const own = { [labels.part]: "agent", "dev.ikoma.instance": name };
  const made = await on.engine.createContainer({ name, image: "agent", labels: own });
  return Object.assign(made, { Created: `${createdOn}T00:00:00Z` });
}

test("the copy of the ledger stays for as long as the agent before does: a fall in between begins anew from it", async () => {
  const before = await agent("ikoma-agent-before", "2026-01-01");
  await agent("ikoma-agent", "2026-01-02");
  const containers = await AgentContainers.look(on.host.containers, "ikoma-agent");
  const takeOver = new TakeOver(containers, new EdgeReplacement(on.host), on.host.paths, on.host.log);
  takeOver.secureLedger();
  on.engine.refusals.set(`DELETE /containers/${before.Id}`, { status: 500, message: "device busy" });
  await expect(takeOver.settle(on.host)).rejects.toThrow("device busy");
  expect(existsSync(on.host.paths.ledgerBefore)).toBe(true);
  on.engine.refusals.clear();
  await on.host.containers.remove("ikoma-edge");
  await takeOver.settle(on.host);
  expect(existsSync(on.host.paths.ledgerBefore)).toBe(false);
  expect(on.engine.named("ikoma-agent-before")).toBeUndefined();
});
