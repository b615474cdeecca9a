import { expect, test } from "@jest/globals";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { get, shop, useEdge } from "../../../test/rigs/haproxy.ts";
import { waitUntil } from "../../../test/lab/wait-until.ts";
import { longestHoldSeconds } from "../../core/release/release-spec.ts";

const { rig, serve, appServer } = useEdge();

/** The shop's one server goes, and its requests wait from then on. */
async function goneAway(): Promise<void> {
  const before = await appServer("before");
  await serve(shop([before.as("web")]));
  expect(await rig().get("/", "shop.test")).toMatchObject({ status: 200 });
  await rig().edge.hold("shop");
  await rig().edge.switchTo(shop([]));
}

const answersIn = (asked: Promise<unknown>, ms: number): Promise<boolean> =>
  Promise.race([asked.then(() => true), sleep(ms, false)]);

test("requests that are held are answered by the next release as soon as it serves, on another port too", async () => {
  await goneAway();
  const asked = [1, 2, 3].map((each) => rig().get(`/page-${each}`, "shop.test"));
  expect(await answersIn(Promise.any(asked), 500)).toBe(false);
  const after = await appServer("after", 3001);
  const next = {
    ...shop([after.as("shopfront", 3001)]),
    routes: [{ path: "/", service: "shopfront", port: 3001 }],
  };
  await rig().edge.ensure(rig().view({ ...next, servers: [] }));
  await rig().edge.switchTo(next);
  const servedAtMs = performance.now();
  expect((await Promise.all(asked)).map(({ status, body }) => `${status} ${body}`)).toEqual(
    [1, 2, 3].map((each) => `200 after /page-${each}`),
  );
  expect(performance.now() - servedAtMs).toBeLessThan((longestHoldSeconds * 1000) / 2);
  expect(await rig().get("/", "shop.test")).toMatchObject({ body: "after /" });
});

test("an app that is held is held again without a moment in which its requests are let go", async () => {
  await goneAway();
  // Not in step with each other: each looks every 20 ms whether it is still held.
  const waiting = Array.from({ length: 100 }, (_, each) => sleep(each).then(() => rig().get(`/${each}`, "shop.test")));
  const asked = Promise.race(waiting);
  expect(await answersIn(asked, 500)).toBe(false);
  for (let time = 0; time < 200; time += 1) await rig().edge.hold("shop");
  expect(await answersIn(asked, 100)).toBe(false);
  const after = await appServer("after");
  await rig().edge.switchTo(shop([after.as("web")]));
  expect(await asked).toMatchObject({ status: 200 });
});

test("a reload for another app keeps them waiting, those of the worker before too", async () => {
  await goneAway();
  const asked = rig().get("/", "shop.test");
  expect(await answersIn(asked, 200)).toBe(false);
  const blog = { app: "blog", domains: ["blog.test"], routes: [], servers: [] };
  const workers = await rig().workers();
  await rig().edge.ensure(rig().view(shop([]), blog));
  expect(await rig().workers()).not.toEqual(workers);
  const later = rig().get("/later", "shop.test");
  expect(await answersIn(Promise.any([asked, later]), 500)).toBe(false);
  expect(await rig().get("/", "blog.test")).toMatchObject({ status: 503 });
  const after = await appServer("after");
  await rig().edge.switchTo(shop([after.as("web")]));
  expect(await Promise.all([asked, later])).toMatchObject([{ body: "after /" }, { body: "after /later" }]);
});

test("an edge that an older agent has configured, which knows nothing of this, learns it by a reload", async () => {
  const [before, after] = [await appServer("before"), await appServer("after")];
  const view = rig().view(shop([before.as("web")]));
  await rig().edge.persist(view);
  const path = join(rig().directory, "haproxy.cfg");
  const older = (await readFile(path, "utf8")).split("\n").filter((line) => !/lua|setenv/.test(line));
  await writeFile(path, older.join("\n").replace(/description ikoma-\w+/, "description ikoma-0123456789abcdef"));
  await rig().start();
  await rig().edge.ensure(view);
  expect(await rig().get("/", "shop.test")).toMatchObject({ body: "before /" });
  await rig().edge.hold("shop");
  await rig().edge.switchTo(shop([]));
  const asked = rig().get("/", "shop.test");
  expect(await answersIn(asked, 200)).toBe(false);
  await rig().edge.switchTo(shop([after.as("web")]));
  expect(await asked).toMatchObject({ body: "after /" });
});

test("one whose client has gone away is in nobody's way", async () => {
  await goneAway();
  const gone = rig().get("/gone", "shop.test", { timeout: 300 });
  await expect(gone).rejects.toThrow("timeout");
  const asked = rig().get("/", "shop.test");
  const after = await appServer("after");
  await rig().edge.switchTo(shop([after.as("web")]));
  expect(await asked).toMatchObject({ body: "after /" });
});

test("what waits too long, or is one too many, is told that nothing serves; the edge lives on", async () => {
  await goneAway();
  const startedMs = performance.now();
  const port = rig().httpPort;
  const ask = () => get({ port, path: "/", headers: { host: "shop.test" }, agent: false, timeout: 30_000 });
  const asked = Array.from({ length: 1100 }, ask);
  let answered = 0;
  for (const each of asked) void each.then(() => (answered += 1));
  await waitUntil("the last hundred are refused", () => answered >= 100);
  expect(performance.now() - startedMs).toBeLessThan(longestHoldSeconds * 1000 - 1000);
  const statuses = new Set((await Promise.all(asked)).map(({ status }) => status));
  expect(statuses).toEqual(new Set([503]));
  expect(performance.now() - startedMs).toBeGreaterThan(longestHoldSeconds * 1000 - 500);
  const after = await appServer("after");
  await rig().edge.switchTo(shop([after.as("web")]));
  expect(await rig().get("/", "shop.test")).toMatchObject({ body: "after /" });
});
