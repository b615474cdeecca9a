import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { shop, useEdge } from "../../../test/rigs/haproxy.ts";
import type { EdgeServer } from "./edge.ts";
import type { RuntimeServer } from "./runtime-state.ts";
import { planShare } from "./share-plan.ts";

const { rig, appServer, serve } = useEdge();

/** Of so many requests, how many each server answered: in percent, to the nearest five. */
async function answered(requests: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (let index = 0; index < requests; index++) {
    const { status, body } = await rig().get("/", "shop.test");
    const by = status === 200 ? (body.split(" ")[0] ?? "") : `status ${status}`;
    counts[by] = (counts[by] ?? 0) + 1;
  }
  const percent = (count: number): number => Math.round((count * 20) / requests) * 5;
  return Object.fromEntries(Object.entries(counts).map(([by, count]) => [by, percent(count)]));
}

test("a newcomer gets its share, a larger one later, then all; nobody else's requests are touched", async () => {
  const [old, next, blog] = [await appServer("old"), await appServer("next"), await appServer("blog")];
  const other = { ...shop([blog.as("web")]), app: "blog", domains: ["blog.test"] };
  await serve(shop([old.as("web")]), other);
  expect(await rig().edge.share("shop", [next.as("web")], 10)).toEqual(["next"]);
  expect(await answered(100)).toEqual({ old: 90, next: 10 });
  await rig().edge.share("shop", [next.as("web")], 50);
  expect(await answered(100)).toEqual({ old: 50, next: 50 });
  await rig().edge.switchTo(shop([next.as("web")]));
  expect(await answered(20)).toEqual({ next: 100 });
  const { servers } = await rig().edge.served("shop");
  expect(servers.find(({ name }) => name === "next")).toMatchObject({ state: "ready", weight: 1 });
  expect(await rig().get("/", "blog.test")).toMatchObject({ status: 200 });
});

test("going back leaves the newcomer nothing at once, and the others their usual weight", async () => {
  const [first, second, next] = [await appServer("first"), await appServer("second"), await appServer("next")];
  const before = shop([first.as("web"), second.as("web")]);
  await serve(before);
  await rig().edge.share("shop", [next.as("web")], 20);
  expect(await answered(100)).toEqual({ first: 40, second: 40, next: 20 });
  const load = rig().load("shop.test");
  await load.more(100);
  await rig().edge.switchTo(before);
  const seen = load.answeredBy.get("next") ?? 0;
  await load.more(200);
  await load.stop();
  expect(load.failures).toEqual([]);
  // Eight clients may each have had a request on its way.
  expect((load.answeredBy.get("next") ?? 0) - seen).toBeLessThanOrEqual(8);
  const { servers } = await rig().edge.served("shop");
  expect(servers.filter(({ state }) => state === "ready").map(({ weight }) => weight)).toEqual([1, 1]);
});

test("a reload for another app changes no share", async () => {
  const [old, next] = [await appServer("old"), await appServer("next")];
  await serve(shop([old.as("web")]));
  await rig().edge.share("shop", [next.as("web")], 25);
  const blog = { app: "blog", domains: ["blog.test"], routes: [], servers: [] };
  const workers = await rig().workers();
  await rig().edge.ensure(rig().view(shop([old.as("web")]), blog));
  expect((await rig().workers())[0]).not.toBe(workers[0]);
  expect(await answered(100)).toEqual({ old: 75, next: 25 });
});

test("a newcomer of a service that nobody serves yet gets nothing", async () => {
  const [old, next] = [await appServer("old"), await appServer("next")];
  await serve(shop([old.as("web")], { backends: [{ service: "api", port: 3000 }] }));
  expect(await rig().edge.share("shop", [next.as("api")], 50)).toEqual([]);
  expect(await answered(20)).toEqual({ old: 100 });
});

test("whatever the numbers of servers, the share is what was asked for, as closely as 256 weights allow", () => {
  const count = fc.integer({ min: 1, max: 10 });
  const newcomer = (index: number): EdgeServer => ({
    name: `new-${index}`,
    service: "web",
    address: "10.0.0.2",
    port: 80,
  });
  const serving = (index: number): RuntimeServer => ({
    ...{ name: `old-${index}`, backend: "shop_web_80", address: "10.0.0.1", port: 80, state: "ready" },
    ...{ connections: 0, weight: 1, checked: false, maxConnections: 400 },
  });
  fc.assert(
    fc.property(count, count, fc.integer({ min: 1, max: 99 }), (old, next, percent) => {
      const { commands } = planShare(
        "shop",
        Array.from({ length: old }, (_, index) => serving(index)),
        Array.from({ length: next }, (_, index) => newcomer(index)),
        percent,
      );
      const weights = new Map<string, number>();
      for (const { command } of commands) {
        const [, name = "", weight] = /^set server shop_web_80\/(\S+) weight (\d+)$/.exec(command) ?? [];
        if (weight !== undefined) weights.set(name, Number(weight));
      }
      const sum = (kind: string): number =>
        [...weights].filter(([name]) => name.startsWith(kind)).reduce((total, [, weight]) => total + weight, 0);
      expect(Math.max(...weights.values())).toBeLessThanOrEqual(256);
      expect(Math.min(...weights.values())).toBeGreaterThanOrEqual(1);
      const share = (100 * sum("new")) / (sum("new") + sum("old"));
      // Ten servers of the least weight beside one of the largest are 4 %.
      expect(Math.abs(share - percent)).toBeLessThan(3);
    }),
  );
});
