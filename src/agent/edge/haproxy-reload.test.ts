import { expect, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, stat, writeFile } from "node:fs/promises";
import { Agent } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { expectFlawless } from "../../../test/load/load-expectations.ts";
import { LoadProcess } from "../../../test/load/load-process.ts";
import { Tunnel, shop, until, useEdge } from "../../../test/rigs/haproxy.ts";
import { createHaproxyEdge } from "./haproxy-edge.ts";
import type { EdgeApp, EdgeServerState } from "./edge.ts";

const { rig, appServer, serve } = useEdge();

/** An app that needs a reload to appear. */
const newcomer = (name: string): EdgeApp => ({ app: name, domains: [`${name}.test`], routes: [], servers: [] });
const sum = (states: EdgeServerState[]): number => states.reduce((total, each) => total + each.connections, 0);
const config = (): Promise<string> => readFile(`${rig().directory}/haproxy.cfg`, "utf8");

test("what can be had without a reload is had without one", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  const app = shop([old.as("web")]);
  await serve({ ...app, backends: [{ service: "web", port: 4000 }] });
  const before = await rig().workers();
  await rig().edge.ensure(rig().view(app));
  await rig().edge.ensure(rig().view(shop([next.as("web")], { backends: [{ service: "web", port: 4000 }] })));
  await rig().edge.ensure(rig().view(shop([next.as("web")], { routes: [{ path: "/x", service: "web", port: 3000 }] })));
  expect(await rig().workers()).toEqual(before);
  await rig().edge.ensure(rig().view(shop([old.as("web")], { backends: [{ service: "api", port: 3000 }] })));
  expect((await rig().workers())[0]).not.toBe(before[0]);
});

test("ten reloads under 500 requests a second lose none, on kept and on new connections, and leave no worker", async () => {
  const web = await appServer("d1-web-1");
  const app = shop([web.as("web")]);
  await serve(app);
  const stream = { url: `http://127.0.0.1:${rig().httpPort}/`, host: "shop.test", ratePerSecond: 250 };
  await using load = await LoadProcess.start([
    { ...stream, name: "keep-alive", mode: "keep-alive" },
    { ...stream, name: "new-connections", mode: "new-connections" },
  ]);
  const took: number[] = [];
  for (let count = 1; count <= 10; count++) {
    const start = performance.now();
    await rig().edge.ensure(rig().view(app, newcomer(`new${count}`)));
    took.push(performance.now() - start);
    expect((await rig().edge.served(`new${count}`)).domains).toEqual([`new${count}.test`]);
  }
  const report = await load.stop();
  const { streams } = report;
  const failed = streams.map((each) => `${each.name} ${each.failed}`);
  const sent = streams.reduce((total, each) => total + each.sent, 0);
  console.info(
    `reloads took ${took.map((ms) => ms.toFixed(0)).join(", ")} ms; of ${sent} requests failed: ${failed.join(", ")}`,
  );
  expectFlawless(report);
  await until(async () => (await rig().workers()).length === 1);
});

test("files that a hand altered are told, and written anew without losing a request", async () => {
  const web = await appServer("d1-web-1");
  const app = shop([web.as("web")]);
  await serve(app);
  const before = await config();
  expect(await rig().edge.alteredFiles()).toEqual([]);
  const [hosts = ""] = (await readdir(`${rig().directory}/maps`)).filter((name) => name.startsWith("hosts-"));
  await writeFile(`${rig().directory}/haproxy.cfg`, before.replace("timeout client 60s", "timeout client 1s"));
  await writeFile(`${rig().directory}/maps/${hosts}`, "evil.test shop\n");
  expect((await rig().edge.alteredFiles()).sort()).toEqual(["haproxy.cfg", hosts]);
  // What has the right name is taken for right otherwise.
  await rig().edge.ensure(rig().view(app));
  expect(await rig().edge.alteredFiles()).toEqual([hosts]);

  const load = rig().load("shop.test");
  await load.more(50);
  await rig().edge.rewrite(rig().view(app));
  await load.more(50);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await rig().edge.alteredFiles()).toEqual([]);
  expect(await config()).toBe(before);
  expect((await rig().edge.served("shop")).domains).toEqual(["shop.test"]);
});

test("a kept-alive client of an old worker is served by what the newest one serves", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1", 4000)];
  await serve(shop([old.as("web")]));
  const agents = [1, 2].map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
  const ask = (agent: Agent) => rig().get("/headers", "shop.test", { agent });
  for (const agent of agents) await ask(agent);

  // Two reloads: the first worker hands over to the second, which by then hands over itself.
  const after = shop([next.as("web", 4000)], { routes: [{ path: "/", service: "web", port: 4000 }] });
  await rig().edge.ensure(rig().view(shop([old.as("web")]), newcomer("one")));
  await rig().edge.ensure(rig().view(shop([old.as("web")], { backends: [{ service: "web", port: 4000 }] })));
  await rig().edge.switchTo(after);
  await rig().edge.removeServers("shop", ["d1-web-1"]);
  await old.stop();
  for (const agent of agents) {
    const reused = Object.values(agent.freeSockets)[0]?.length;
    const answer = await ask(agent);
    expect([reused, answer.status, answer.headers.connection]).toEqual([1, 200, "close"]);
    const seen = JSON.parse(answer.body) as Record<string, string>;
    expect(seen["x-forwarded-for"]).toBe("127.0.0.1");
    agent.destroy();
  }
  // With its last client gone, an old worker ends.
  await until(async () => (await rig().workers()).length === 1);
});

test("long connections outlive a reload and are counted over all workers", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  await serve(shop([old.as("web")]));
  const first = await Tunnel.open(rig().httpPort, "shop.test");
  const slow = rig().get("/slow", "shop.test");
  await until(() => Promise.resolve(old.slowRequests === 1));
  await rig().edge.ensure(rig().view(shop([old.as("web")]), newcomer("other")));
  const second = await Tunnel.open(rig().httpPort, "shop.test");
  await rig().edge.switchTo(shop([next.as("web")]));
  expect(await rig().edge.draining("shop", ["d2-web-1"])).toMatchObject([
    { name: "d1-web-1", state: "drain", connections: 3 },
  ]);

  await rig().edge.ensure(rig().view(shop([next.as("web")]), newcomer("third")));
  expect(sum(await rig().edge.draining("shop", ["d2-web-1"]))).toBe(3);
  old.finishSlow();
  expect((await slow).body).toBe("d1-web-1 /slow");
  expect(await first.echo("a")).toBe("d1-web-1:a");
  expect(await second.echo("b")).toBe("d1-web-1:b");
  await until(async () => sum(await rig().edge.draining("shop", ["d2-web-1"])) === 2);

  await rig().edge.removeServers("shop", ["d1-web-1"]);
  await until(() => Promise.resolve(first.isClosed && second.isClosed));
  await until(async () => (await rig().edge.draining("shop", ["d2-web-1"])).length === 0);
  await until(async () => (await rig().workers()).length === 1);
});

test("a reload changes nobody's release: neither a switch that is not written down yet nor a candidate", async () => {
  const [old, next, coming] = [await appServer("d1-web-1"), await appServer("d2-web-1"), await appServer("d3-web-1")];
  const ledger = shop([old.as("web")]);
  await serve(ledger);
  await rig().edge.switchTo(
    shop([next.as("web")], {
      routes: [
        { path: "/", service: "web", port: 3000 },
        { path: "/sub", service: "web", port: 3000 },
      ],
    }),
  );
  await rig().edge.addCandidates(shop([coming.as("web")]));
  await rig().edge.ensure(rig().view(ledger, newcomer("other")));

  expect((await rig().get("/", "shop.test")).body).toBe("d2-web-1 /");
  expect((await rig().getCandidate("/", "shop.test")).body).toBe("d3-web-1 /");
  const served = await rig().edge.served("shop");
  expect(served.routes.map((route) => route.path).sort()).toEqual(["/", "/sub"]);
  expect(served.servers.map((each) => [each.name, each.state])).toEqual([["d2-web-1", "ready"]]);
  // On disk is the ledger all the same.
  expect((await config()).match(/server d\S+/g)).toEqual(["server d1-web-1"]);
});

test("HAProxy comes up again with what was written down last", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  await serve(shop([old.as("web")]));
  const after = shop([next.as("web")], { routes: [{ path: "/only", service: "web", port: 3000 }] });
  await rig().edge.switchTo(after, () => rig().view(after));
  const served = await rig().edge.served("shop");
  await rig().stop();
  expect(await rig().edge.version()).toBeUndefined();
  await rig().start();
  expect((await rig().get("/only", "shop.test")).body).toBe("d2-web-1 /only");
  expect((await rig().get("/", "shop.test")).status).toBe(404);
  expect((await rig().edge.served("shop")).routes).toEqual(served.routes);
  expect((await rig().edge.served("shop")).servers.map((each) => [each.name, each.state])).toEqual([
    ["d2-web-1", "ready"],
  ]);
});

test("a configuration that HAProxy refuses is taken back, with its reason; the old one serves", async () => {
  const web = await appServer("d1-web-1");
  await serve(shop([web.as("web")]));
  const before = await config();
  const blocker = createTcpServer().listen(0, "0.0.0.0");
  await once(blocker, "listening");
  const address = blocker.address();
  const taken = typeof address === "object" && address !== null ? address.port : 0;
  const refused = rig().edge.ensure({ ...rig().view(shop([web.as("web")])), httpPort: taken });
  await expect(refused).rejects.toMatchObject({
    code: "EDGE_FAILED",
    message: expect.stringMatching(/refused the new configuration.*cannot bind/is),
  });
  expect(await config()).toBe(before);
  expect((await rig().get("/", "shop.test")).body).toBe("d1-web-1 /");
  blocker.close();
  // And it is not stuck: the next good one is loaded.
  await rig().edge.ensure(rig().view(shop([web.as("web")]), newcomer("other")));
  expect((await rig().edge.served("other")).domains).toEqual(["other.test"]);
});

test("a view that contradicts itself is refused before anything is written", async () => {
  await serve(shop([]));
  const before = await config();
  const wrong: [EdgeApp[], RegExp][] = [
    [[shop([]), { ...shop([]), app: "two" }], /shop and two both claim the host name shop.test/],
    [[shop([], { domains: [] }), { ...shop([]), app: "two", domains: [] }], /both claim every host name/],
    [
      [
        shop([], {
          routes: [
            { path: "/a", service: "web", port: 1 },
            { path: "/a/", service: "web", port: 2 },
          ],
        }),
      ],
      /Two routes .* path \/a/,
    ],
    [[shop([], { routes: [{ path: "/a; shutdown", service: "web", port: 1 }] })], /path of letters/],
    [[shop([{ name: "a b", service: "web", address: "10.0.0.1", port: 1 }])], /letters, digits/],
    [[shop([{ name: "a", service: "web", address: "example.org", port: 1 }])], /an IP address/],
  ];
  for (const [apps, message] of wrong)
    await expect(rig().edge.persist(rig().view(...apps))).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(message),
    });
  expect(await config()).toBe(before);
});

test("keys and sockets are nobody else's, and files that are no longer named go away", async () => {
  const web = await appServer("d1-web-1");
  await serve(shop([web.as("web")]));
  await rig().edge.persist(rig().view(shop([], { routes: [] })));
  await rig().edge.ensure(rig().view(shop([web.as("web")]), newcomer("other")));
  const mode = async (name: string): Promise<string> =>
    ((await stat(`${rig().directory}/${name}`)).mode & 0o777).toString(8);
  expect(
    await Promise.all(
      ["certs", "maps", "haproxy.cfg", "runtime.sock", "master.sock", "candidate.sock", "relay.sock"].map(mode),
    ),
  ).toEqual(["700", "700", "600", "600", "600", "600", "600"]);
  const maps = await readdir(`${rig().directory}/maps`);
  expect(maps.map((name) => name.split("-")[0]).sort()).toEqual(["candidates", "held", "hold", "hosts", "routes"]);
});

test("a HAProxy that hangs is reported in time, and what waits behind goes on", async () => {
  await serve(shop([]));
  const impatient = createHaproxyEdge({ directory: rig().directory, deadlineMs: 300 });
  const [worker = 0] = await rig().workers();
  process.kill(worker, "SIGSTOP");
  const first = impatient.switchTo(shop([])).catch((error: unknown) => error);
  const second = impatient.removeCandidates("shop").catch((error: unknown) => error);
  const failures = await Promise.all([first, second]);
  process.kill(worker, "SIGCONT");
  for (const failure of failures)
    expect(failure).toMatchObject({ code: "EDGE_FAILED", message: expect.stringContaining("within the time allowed") });
  await impatient.switchTo(shop([]));
});

test("no HAProxy at all is EDGE_FAILED, not a crash", async () => {
  await rig().edge.persist(rig().view(shop([])));
  await expect(rig().edge.served("shop")).rejects.toMatchObject({ code: "EDGE_FAILED" });
  await expect(rig().edge.ensure(rig().view(shop([])))).rejects.toMatchObject({ code: "EDGE_FAILED" });
  expect(await rig().edge.version()).toBeUndefined();
});

test("HAProxy starts under a small limit of file descriptors", async () => {
  await rig().edge.persist(rig().view(shop([])));
  const check = spawn("bash", ["-c", `ulimit -n 512 && haproxy -c -f ${rig().directory}/haproxy.cfg`]);
  let output = "";
  for (const stream of [check.stdout, check.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const [code] = (await once(check, "exit")) as [number];
  expect([code, output]).toEqual([0, expect.not.stringContaining("ALERT")]);
});
