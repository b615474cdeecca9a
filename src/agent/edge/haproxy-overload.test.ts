import { expect, test } from "@jest/globals";
import { shop, until, useEdge } from "../../../test/rigs/haproxy.ts";
import type { Answer } from "../../../test/rigs/haproxy.ts";
import { StallingApp } from "../../../test/rigs/stalling-app.ts";

const { rig, appServer, serve } = useEdge();

const states = async (): Promise<string[]> =>
  (await rig().edge.served("shop")).servers.map((each) => `${each.name} ${each.state}`).sort();

/** Requests that wait for a place on any server. */
async function untilWaiting(count: number): Promise<void> {
  await until(async () => {
    const [answer = ""] = await rig().tell("show stat shop_web_3000 2 -1");
    const [header = "", row = ""] = answer.split("\n");
    return Number(row.split(",")[header.replace("# ", "").split(",").indexOf("qcur")]) === count;
  });
}

/** So many requests at once; how many were answered by whom, or with which status. */
async function burst(count: number): Promise<Record<string, number>> {
  const answers = await Promise.all(
    Array.from({ length: count }, () => rig().get("/", "shop.test", { timeout: 30_000 })),
  );
  return tally(answers);
}

function tally(answers: Answer[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status, body } of answers) {
    const key = status === 200 ? body : `status ${status}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

test("a single server that does nothing for seconds under load keeps what waits for it", async () => {
  await using app = await StallingApp.start("d1-web-1");
  await serve(shop([app.as("web")]));
  const stalled = rig().get("/?stall=4500", "shop.test");
  await app.says("stalls");
  expect(await burst(800)).toEqual({ "d1-web-1": 800 });
  expect((await stalled).status).toBe(200);
  expect(await states()).toEqual(["d1-web-1 ready"]);
});

test("nor are two replicas taken for dead that do nothing for seconds", async () => {
  await using one = await StallingApp.start("d1-web-1");
  await using two = await StallingApp.start("d1-web-2");
  await serve(shop([one.as("web"), two.as("web")]));
  const stalled = [rig().get("/?stall=4500", "shop.test"), rig().get("/?stall=4500", "shop.test")];
  await Promise.all([one.says("stalls"), two.says("stalls")]);
  const counts = await burst(1200);
  await Promise.all(stalled);
  expect(Object.keys(counts).sort()).toEqual(["d1-web-1", "d1-web-2"]);
  expect(await states()).toEqual(["d1-web-1 ready", "d1-web-2 ready"]);
});

test("a dead replica of two is taken out within about a second, and comes back", async () => {
  const [one, two] = [await appServer("d1-web-1"), await appServer("d1-web-2")];
  await serve(shop([one.as("web")]));
  await rig().edge.switchTo(shop([one.as("web"), two.as("web")]));
  await until(async () => (await states()).join() === "d1-web-1 ready,d1-web-2 ready");
  await two.stop();
  const diedAtMs = performance.now();
  await until(async () => (await states()).includes("d1-web-2 down"));
  const outMs = performance.now() - diedAtMs;
  const served = await Promise.all(Array.from({ length: 40 }, () => rig().get("/", "shop.test")));
  expect(tally(served)).toEqual({ "d1-web-1 /": 40 });

  await two.restart();
  const backAtMs = performance.now();
  await until(async () => (await states()).includes("d1-web-2 ready"));
  const backMs = performance.now() - backAtMs;
  console.info(`a dead replica was out after ${outMs.toFixed(0)} ms, and in again after ${backMs.toFixed(0)} ms`);
  // HAProxy's own pace would take it out after six.
  expect(outMs).toBeLessThan(4000);
  expect(backMs).toBeLessThan(4000);
});

test("a single server that died and listens again is served from at once", async () => {
  const web = await appServer("d1-web-1");
  await serve(shop([web.as("web")]));
  await web.stop();
  // Longer than any check would need to take it out.
  for (const end = Date.now() + 4000; Date.now() < end;) expect((await rig().get("/", "shop.test")).status).toBe(503);
  await web.restart();
  expect((await rig().get("/", "shop.test")).status).toBe(200);
});

test("requests beyond what a server may have at once wait for it, at most ten seconds", async () => {
  const web = await appServer("d1-web-1");
  await serve(shop([web.as("web")]));
  await rig().edge.switchTo(shop([{ ...web.as("web"), maxConnections: 2 }]));
  const fill = async (): Promise<Promise<Answer>[]> => {
    const slow = [1, 2].map(() => rig().get("/slow", "shop.test", { timeout: 30_000 }));
    await until(() => Promise.resolve(web.slowRequests === 2));
    return slow;
  };
  const first = await fill();
  const waiting = rig().get("/", "shop.test");
  await untilWaiting(1);
  web.finishSlow();
  expect((await waiting).status).toBe(200);

  const second = await fill();
  const startedMs = performance.now();
  const { status, headers } = await rig().get("/", "shop.test", { timeout: 30_000 });
  expect([status, headers["retry-after"]]).toEqual([503, "5"]);
  expect(performance.now() - startedMs).toBeGreaterThan(9000);
  web.finishSlow();
  expect(tally(await Promise.all([...first, ...second]))).toEqual({ "d1-web-1 /slow": 4 });
});

test("a client that went away while it waited is not worked for", async () => {
  const web = await appServer("d1-web-1");
  const limited = shop([{ ...web.as("web"), maxConnections: 1 }]);
  await serve(limited);
  const slow = rig().get("/slow", "shop.test");
  await until(() => Promise.resolve(web.slowRequests === 1));
  const leaving = new AbortController();
  const gone = rig()
    .get("/slow", "shop.test", { signal: leaving.signal })
    .catch((error: unknown) => error);
  await untilWaiting(1);
  leaving.abort();
  await untilWaiting(0);
  web.finishSlow();
  expect((await slow).status).toBe(200);
  expect(await gone).toMatchObject({ name: "AbortError" });
  expect((await rig().get("/", "shop.test")).body).toBe("d1-web-1 /");
  expect(web.slowRequests).toBe(0);
});

test("the check of two servers ends when one of them is left alone", async () => {
  const [one, two] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  // As a crash in the middle of a switch leaves it: both serve.
  await serve(shop([one.as("web"), two.as("web")]));
  await two.stop();
  await until(async () => (await states()).includes("d2-web-1 down"));
  await rig().edge.switchTo(shop([one.as("web")]));
  await one.stop();
  await rig().edge.removeServers("shop", ["d2-web-1"]);
  for (const end = Date.now() + 3000; Date.now() < end;) expect(await states()).toEqual(["d1-web-1 ready"]);
  await rig().edge.switchTo(shop([two.as("web")]));
  expect(await states()).toEqual(["d1-web-1 drain", "d2-web-1 ready"]);
});

test("what waits for a release goes to the next one when that is switched to", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  await serve(shop([{ ...old.as("web"), maxConnections: 1 }]));
  const slow = rig().get("/slow", "shop.test", { timeout: 30_000 });
  await until(() => Promise.resolve(old.slowRequests === 1));
  const waiting = Array.from({ length: 5 }, () => rig().get("/", "shop.test"));
  await untilWaiting(5);
  await rig().edge.switchTo(shop([next.as("web")]));
  expect(tally(await Promise.all(waiting))).toEqual({ "d2-web-1 /": 5 });
  old.finishSlow();
  expect((await slow).body).toBe("d1-web-1 /slow");
});
