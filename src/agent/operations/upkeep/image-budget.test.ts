import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import * as fc from "fast-check";
import { TestHost } from "../../../../test/doubles/host/host.ts";
import { aRelease, imageOf, run } from "../../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../../test/lab/wait-until.ts";
import { beyondBudget } from "./image-budget.ts";
import type { Spare } from "./image-budget.ts";
import { OperationRunner } from "../operation-runner.ts";

const layers = (entries: Record<string, Record<string, number>>) =>
  new Map(Object.entries(entries).map(([image, sizes]) => [image, new Map(Object.entries(sizes))]));

describe("what has to go", () => {
  const spares: Spare[] = ["a", "b", "c"].map((image, index) => ({ app: "shop", number: index + 1, images: [image] }));
  const sizes = layers({
    a: { base: 100, a: 10 },
    b: { base: 100, b: 10 },
    c: { base: 100, c: 10 },
    now: { base: 100, now: 10 },
  });

  test.each([
    [140, []],
    [139, [1]],
    [120, [1, 2]],
    [50, [1, 2, 3]],
  ])("of a budget of %d: %j, the oldest first, shared layers counted once", (budget, gone) => {
    expect(beyondBudget(spares, ["now"], sizes, budget).map((each) => each.number)).toEqual(gone);
  });

  test("is nothing where what would go is needed anyway", () => {
    expect(beyondBudget([{ app: "shop", number: 1, images: ["gone"] }], ["now"], sizes, 110)).toEqual([]);
  });

  test("never more than it takes, and never a newer one before an older", () => {
    const image = fc.constantFrom("a", "b", "c", "now");
    fc.assert(
      fc.property(fc.array(fc.array(image)), fc.array(image), fc.nat(150), (images, needed, budget) => {
        const all = images.map((each, number) => ({ app: "shop", number, images: each }));
        const gone = beyondBudget(all, needed, sizes, budget);
        expect(gone).toEqual(all.slice(0, gone.length));
        expect(beyondBudget(all.slice(gone.length), needed, sizes, budget)).toEqual([]);
      }),
    );
  });
});

describe("on a host", () => {
  let on: TestHost;
  let runner: OperationRunner;
  beforeEach(async () => {
    on = await TestHost.create();
    runner = new OperationRunner(on.host);
  });
  afterEach(() => on.dispose());

  /** An image of 3 GB, one of them its own, that the agent brought. */
  async function deploy(app: string, name: string, own: number): Promise<void> {
    const input = aRelease(on, name, { app, keep: 50, program: { layers: [2_000_000_000, 1_000_000_000 + own] } });
    on.host.imageUse.add(app, imageOf(name));
    await run(runner, "release.apply", input);
  }

  const statuses = (app: string): string[] =>
    on.host.deployments.history(app, 50).map(({ number, status }) => `#${number} ${status}`);

  async function expectHistory(app: string, ...expected: string[]): Promise<void> {
    await waitUntil(`${app} has ${expected.join(", ")}`, () => statuses(app).join() === expected.join());
  }

  test("the oldest deployments of any app make room; what serves and each app's last good one stay", async () => {
    for (const app of ["shop", "blog"]) await run(runner, "site.apply", { app, domains: [`${app}.test`] });
    on.host.settings.imageBudgetGb = 6.5; // the base and four more
    await deploy("shop", "v1", 1);
    await deploy("shop", "v2", 2);
    await deploy("shop", "v3", 3);
    await deploy("blog", "b1", 11);
    await expectHistory("shop", "#3 current", "#2 good", "#1 good");
    await deploy("blog", "b2", 12);
    await expectHistory("shop", "#3 current", "#2 good", "#1 pruned");
    expect(statuses("blog")).toEqual(["#2 current", "#1 good"]);
    const left = ["b1", "b2", "v2", "v3"].map(imageOf).sort();
    await waitUntil("its image is gone", () => [...on.engine.images.keys()].sort().join() === left.join());

    on.host.settings.imageBudgetGb = 0.001;
    await deploy("shop", "v4", 4);
    await expectHistory("shop", "#4 current", "#3 good", "#2 pruned", "#1 pruned");
    expect(statuses("blog")).toEqual(["#2 current", "#1 good"]);
    expect(on.host.deployments.input("shop", 2)).toBeUndefined();
  });
});
