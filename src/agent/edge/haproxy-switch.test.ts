import { expect, test } from "@jest/globals";
import { Agent } from "node:http";
import { readFile } from "node:fs/promises";
import { Tunnel, shop, until, useEdge } from "../../../test/rigs/haproxy.ts";
import { parseServers, serverCommands } from "./runtime-state.ts";
import { planSwitch } from "./switch-plan.ts";
import type { EdgeApp, EdgeServerState } from "./edge.ts";

const { rig, appServer, serve } = useEdge();

const ready = async (): Promise<string[]> => {
  const { servers } = await rig().edge.served("shop");
  return servers.filter((each) => each.state === "ready").map((each) => each.name);
};
const drained = (states: EdgeServerState[]): string[] =>
  states.filter((each) => each.state === "drain").map((each) => each.name);

test("switches under load lose no request, and leave the old server none", async () => {
  const servers = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => appServer(`d${number}-web-1`)));
  await serve(shop(servers.slice(0, 1).map((each) => each.as("web"))));
  const load = rig().load("shop.test");
  const took: number[] = [];
  for (const next of servers.slice(1)) {
    await load.more(100);
    const start = performance.now();
    await rig().edge.switchTo(shop([next.as("web")]));
    took.push(performance.now() - start);
    expect(await ready()).toEqual([next.name]);
    await until(async () => (await rig().edge.draining("shop", [next.name])).every((each) => each.connections === 0));
    const before = new Map(load.answeredBy);
    await load.more(100);
    for (const [name, count] of load.answeredBy)
      if (name !== next.name) expect([name, count]).toEqual([name, before.get(name)]);
    await rig().edge.removeServers("shop", drained(await rig().edge.draining("shop", [next.name])));
  }
  await load.stop();
  console.info(
    `switches took ${took.map((ms) => ms.toFixed(1)).join(", ")} ms; ${load.failures.length} of ${load.total} requests failed`,
  );
  expect(load.failures).toEqual([]);
  expect((await rig().edge.served("shop")).servers.map((each) => each.name)).toEqual(["d6-web-1"]);
});

test("a kept-alive client meets the new release with its next request", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  await serve(shop([old.as("web")]));
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () => rig().get("/", "shop.test", { agent });
  expect((await ask()).body).toBe("d1-web-1 /");
  await rig().edge.switchTo(shop([next.as("web")]));
  const [answer, ...more] = [await ask(), await ask()];
  expect([answer.body, ...more.map((each) => each.body)]).toEqual(["d2-web-1 /", "d2-web-1 /"]);
  expect(Object.values(agent.freeSockets)[0]).toHaveLength(1);
  agent.destroy();
});

test("routes change together with the servers, without a request in between that finds none", async () => {
  const [web, old, next] = [
    await appServer("d1-web-1"),
    await appServer("d1-api-1", 4000),
    await appServer("d2-api-1", 5000),
  ];
  const before = shop([web.as("web"), old.as("api", 4000)], {
    routes: [
      { path: "/", service: "web", port: 3000 },
      { path: "/load", service: "api", port: 4000 },
    ],
  });
  const after = shop([web.as("web"), next.as("api", 5000)], {
    routes: [
      { path: "/load", service: "api", port: 5000 },
      { path: "/", service: "web", port: 3000 },
    ],
  });
  await serve({ ...before, backends: [{ service: "api", port: 5000 }] });
  const load = rig().load("shop.test");
  for (const app of [after, before, after, before, after]) {
    await load.more(60);
    await rig().edge.switchTo(app);
    const { routes } = await rig().edge.served("shop");
    expect(routes).toHaveLength(2);
    expect(routes).toEqual(expect.arrayContaining(app.routes));
  }
  await load.more(60);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect([...load.answeredBy.keys()].sort()).toEqual(["d1-api-1", "d2-api-1"]);
});

test("what is under way on the old release goes on, is counted, and is closed when its server is removed", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  await serve(shop([old.as("web")]));
  const tunnel = await Tunnel.open(rig().httpPort, "shop.test");
  const slow = rig().get("/slow", "shop.test");
  await until(() => Promise.resolve(old.slowRequests === 1));

  await rig().edge.switchTo(shop([next.as("web")]));
  expect(await rig().edge.draining("shop", ["d2-web-1"])).toEqual([
    {
      name: "d1-web-1",
      backend: "shop_web_3000",
      address: old.address,
      port: 3000,
      state: "drain",
      connections: 2,
      weight: 1,
    },
  ]);
  expect(await tunnel.echo("still here")).toBe("d1-web-1:still here");
  old.finishSlow();
  expect((await slow).body).toBe("d1-web-1 /slow");
  await until(async () => (await rig().edge.draining("shop", ["d2-web-1"]))[0]?.connections === 1);

  await rig().edge.removeServers("shop", ["d1-web-1"]);
  await until(() => Promise.resolve(tunnel.isClosed));
  expect(await rig().edge.draining("shop", ["d2-web-1"])).toEqual([]);
});

test("the same switch again sends HAProxy no change", async () => {
  const web = await appServer("d2-web-1");
  const app = shop([web.as("web")]);
  await serve(shop([]));
  await rig().edge.switchTo(app);
  const idOfServer = () =>
    rig()
      .tell("show servers state shop_web_3000")
      .then(([text = ""]) => text.split("\n").slice(2));
  const mapVersions = () =>
    rig()
      .tell("show map")
      .then(([text = ""]) => text.match(/curr_ver=\d+/g));
  const before = [await mapVersions(), (await idOfServer()).length];
  await rig().edge.switchTo(app);
  expect([await mapVersions(), (await idOfServer()).length]).toEqual(before);
  expect(planSwitch(await runtimeServers(), app)).toEqual({ prepare: [], activate: [], drain: [] });
});

test("a switch that was cut off anywhere can be completed, and taken back", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  const [before, after] = [shop([old.as("web")]), shop([next.as("web")])];
  await serve(before);
  const { prepare, activate, drain } = planSwitch(await runtimeServers(), after);
  const commands = [...prepare, ...activate, ...drain].map((each) => each.command);
  expect(commands).toHaveLength(3);
  const load = rig().load("shop.test");
  for (let done = 0; done <= commands.length; done++) {
    for (const [goal, name] of [
      [after, "d2-web-1"],
      [before, "d1-web-1"],
    ] as const) {
      await rig().tell(...commands.slice(0, done));
      const driver = rig().newDriver(); // as an agent that was started again
      await driver.switchTo(goal);
      expect(await ready()).toEqual([name]);
      expect((await rig().get("/", "shop.test")).body).toBe(`${name} /`);
      await driver.switchTo(before);
      await driver.removeServers("shop", ["d2-web-1"]);
    }
  }
  await load.more(50);
  await load.stop();
  expect(load.failures).toEqual([]);
});

test("a container that came back at another address is followed", async () => {
  const [old, moved] = [await appServer("d1-web-1"), await appServer("moved")];
  await serve(shop([old.as("web")]));
  await rig().edge.switchTo(shop([{ ...moved.as("web"), name: "d1-web-1" }]));
  expect((await rig().get("/", "shop.test")).body).toBe("moved /");
  expect(await ready()).toEqual(["d1-web-1"]);
});

test("an app can be taken out of service and put back", async () => {
  const web = await appServer("d1-web-1");
  const app = shop([web.as("web")]);
  await serve(app);
  await rig().edge.switchTo({ ...app, routes: [], servers: [] });
  expect((await rig().get("/", "shop.test")).status).toBe(503);
  expect(await rig().edge.served("shop")).toMatchObject({ routes: [], domains: ["shop.test"] });
  await rig().edge.switchTo(app);
  expect((await rig().get("/", "shop.test")).status).toBe(200);
});

test("candidates answer on the candidate socket and nowhere else", async () => {
  const [old, next] = [await appServer("d1-web-1"), await appServer("d2-web-1")];
  const candidate = shop([next.as("web")], {
    routes: [
      { path: "/", service: "web", port: 3000 },
      { path: "/new", service: "web", port: 3000 },
    ],
  });
  await serve(shop([old.as("web")]));
  expect((await rig().getCandidate("/", "shop.test")).status).toBe(404);
  await rig().edge.addCandidates(candidate);
  await rig().edge.addCandidates(candidate);
  expect((await rig().getCandidate("/x", "shop.test")).body).toBe("d2-web-1 /x");
  expect((await rig().get("/x", "shop.test")).body).toBe("d1-web-1 /x");
  expect((await rig().edge.served("shop")).servers).toHaveLength(1);
  await rig().edge.removeCandidates("shop");
  await rig().edge.removeCandidates("shop");
  expect((await rig().getCandidate("/", "shop.test")).status).toBe(404);
  expect(await rig().edge.draining("shop", ["d1-web-1"])).toEqual([]);
});

test("whoever asks on the candidate socket says how visitors will come", async () => {
  await serve(shop([(await appServer("d1-web-1")).as("web")]));
  await rig().edge.addCandidates(shop([(await appServer("d2-web-1")).as("web")]));
  const told = async (headers: Record<string, string>): Promise<unknown> =>
    (JSON.parse((await rig().getCandidate("/headers", "shop.test", headers)).body) as Record<string, unknown>)[
      "x-forwarded-proto"
    ];
  expect(await told({})).toBe("http");
  expect(await told({ "x-forwarded-proto": "https" })).toBe("https");
});

test("a server that serves is not removed, nor is a route left without one", async () => {
  const web = await appServer("d1-web-1");
  await serve(shop([web.as("web")]));
  await expect(rig().edge.removeServers("shop", ["d1-web-1"])).rejects.toMatchObject({
    code: "EDGE_FAILED",
    message: expect.stringContaining("still serves"),
  });
  const half = shop([web.as("web")], { routes: [{ path: "/", service: "api", port: 3000 }] });
  await expect(rig().edge.switchTo(half)).rejects.toMatchObject({
    code: "EDGE_FAILED",
    message: expect.stringContaining("no server"),
  });
  const unknown = shop([{ ...web.as("api"), name: "d2-api-1" }], {
    routes: [{ path: "/", service: "api", port: 3000 }],
  });
  await expect(rig().edge.switchTo(unknown)).rejects.toMatchObject({
    code: "EDGE_FAILED",
    message: expect.stringContaining("No such backend"),
  });
  expect((await rig().get("/", "shop.test")).body).toBe("d1-web-1 /");
});

test("changes wait for each other, and a switch is recorded before the next one can start", async () => {
  const [one, two, three] = [await appServer("d1-web-1"), await appServer("d2-web-1"), await appServer("d3-web-1")];
  await serve(shop([one.as("web")]));
  let ledger: EdgeApp = shop([one.as("web")]);
  const seen: string[] = [];
  const record = (app: EdgeApp) => () => {
    seen.push(app.servers.map((each) => each.name).join());
    ledger = app;
    return rig().view(ledger);
  };
  const [second, third] = [shop([two.as("web")]), shop([three.as("web")])];
  const failing = rig()
    .edge.switchTo(shop([], { routes: [{ path: "no slash", service: "web", port: 1 }] }), record(second))
    .catch((error: unknown) => error);
  await Promise.all([
    rig().edge.switchTo(second, record(second)),
    rig().edge.switchTo(third, record(third)),
    rig().edge.persist(() => {
      seen.push(`persist ${ledger.servers[0]?.name ?? ""}`);
      return rig().view(ledger);
    }),
  ]);
  expect(await failing).toMatchObject({ code: "CONFIG_INVALID" });
  expect(seen).toEqual(["d2-web-1", "d3-web-1", "persist d3-web-1"]);
  expect(await ready()).toEqual(["d3-web-1"]);
  const onDisk = await readFile(`${rig().directory}/haproxy.cfg`, "utf8");
  expect(onDisk.match(/ {2}server d\d/g)).toEqual(["  server d3"]);
});

async function runtimeServers() {
  const [state = "", stat = ""] = await rig().tell(serverCommands.state, serverCommands.stat);
  return parseServers(state, stat).filter((each) => each.backend === "shop_web_3000");
}
