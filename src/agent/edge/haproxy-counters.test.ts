import { expect, test } from "@jest/globals";
import { shop, until, useEdge } from "../../../test/rigs/haproxy.ts";

const { rig, appServer, serve } = useEdge();

async function sums(...names: string[]): Promise<{ requests: number; failed: number }> {
  const counters = await rig().edge.counters("shop", names);
  return {
    requests: counters.reduce((sum, each) => sum + each.requests, 0),
    failed: counters.reduce((sum, each) => sum + each.failed, 0),
  };
}

async function ask(...paths: string[]): Promise<number[]> {
  const answers: number[] = [];
  for (const path of paths) answers.push((await rig().get(path, "shop.test")).status);
  return answers;
}

test("a new server counts from its switch: answers, 5xx, answers that broke off and connections that failed", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  await serve(shop([old.as("web")]));
  await ask("/", "/fail");
  await rig().edge.switchTo(shop([next.as("web")]));
  expect(await sums("d2-web-1")).toEqual({ requests: 0, failed: 0 });
  expect(await ask("/", "/", "/fail", "/cut")).toEqual([200, 200, 500, 502]);
  await until(async () => (await sums("d2-web-1")).requests >= 4);
  expect(await sums("d2-web-1")).toEqual({ requests: 4, failed: 2 });
  await next.stop();
  expect(await ask("/")).toEqual([503]);
  await until(async () => (await sums("d2-web-1")).requests >= 5);
  expect(await sums("d2-web-1")).toEqual({ requests: 5, failed: 3 });
  expect(await sums("d1-web-1")).toEqual({ requests: 2, failed: 1 });
  expect(await sums("d1-web-1", "d2-web-1")).toEqual({ requests: 7, failed: 4 });
});

test("what visitors of the candidate socket meet does not count", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  await serve(shop([old.as("web")]));
  await rig().edge.addCandidates(shop([next.as("web")]));
  expect((await rig().getCandidate("/fail", "shop.test")).status).toBe(500);
  await rig().edge.switchTo(shop([next.as("web")]));
  await rig().edge.removeCandidates("shop");
  await ask("/");
  await until(async () => (await sums("d2-web-1")).requests >= 1);
  expect(await sums("d2-web-1")).toEqual({ requests: 1, failed: 0 });
});

test("a worker that finishes after a reload is counted beside the one that took over", async () => {
  const server = await appServer("d1-web-1");
  await serve(shop([server.as("web")]));
  await ask("/", "/fail");
  const slow = rig().get("/slow", "shop.test");
  await until(() => Promise.resolve(server.slowRequests === 1));
  await rig().edge.ensure(
    rig().view(shop([server.as("web")]), { app: "blog", domains: ["blog.test"], routes: [], servers: [] }),
  );
  await ask("/fail");
  await until(async () => (await sums("d1-web-1")).requests >= 3);
  const counters = await rig().edge.counters("shop", ["d1-web-1"]);
  expect(new Set(counters.map((each) => each.worker)).size).toBe(2);
  expect(await sums("d1-web-1")).toEqual({ requests: 3, failed: 2 });
  server.finishSlow();
  await slow;
});

test("times are of the server's answers", async () => {
  const server = await appServer("d1-web-1");
  await serve(shop([server.as("web")]));
  const slow = rig().get("/slow", "shop.test");
  await until(() => Promise.resolve(server.slowRequests === 1));
  const startedMs = performance.now();
  await until(() => Promise.resolve(performance.now() - startedMs > 100));
  server.finishSlow();
  await slow;
  await until(async () => (await sums("d1-web-1")).requests === 1);
  const [counted] = await rig().edge.counters("shop", ["d1-web-1"]);
  expect(counted?.responseMs).toBeGreaterThanOrEqual(100);
});
