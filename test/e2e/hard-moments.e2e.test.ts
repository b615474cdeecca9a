import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import * as z from "zod";
import {
  askEdge,
  EchoStream,
  expectFlawless,
  expectToSettle,
  hostTrace,
  newestKept,
  pushTinyWeb,
  startAgentHost,
  startDoomed,
  startHeldIn,
  until,
} from "./fixture/index.ts";
import type { AgentHost, AppOnHost, HostTrace, TinyWebImage } from "./fixture/index.ts";

/** What is left to do after the answer: draining without a connection, stopping, removing. */
const cleanUpMs = 8_000;
/** The engine starts every container anew as well. */
const bootRecoveryMs = 15_000;

let host: AgentHost;
let v1: TinyWebImage;
let v2: TinyWebImage;
let v3: TinyWebImage;
/** Figures for people, printed at the end. */
const measured: string[] = [];

beforeAll(async () => {
  host = await startAgentHost("hard");
  [v1, v2, v3] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2"), pushTinyWeb("v3")]);
  await host.pull(v1.reference, v2.reference, v3.reference);
}, 300_000);

afterEach(async () => {
  await host.agentProcess.letGo();
});

afterAll(async () => {
  process.stdout.write(measured.map((line) => `measured: ${line}\n`).join(""));
  await host[Symbol.asyncDispose]();
});

/** An app whose v1 serves. */
async function serving(name: string): Promise<AppOnHost> {
  const app = await host.addApp(name);
  await app.deploy(app.release(v1));
  return app;
}

const versionTwo = { serving: 2, deployments: ["#1 good", "#2 current"] };

test("a third deploy does not wait while two releases drain, whose long requests end well, under load", async () => {
  const app = await host.addApp("patient");
  await app.deploy(app.release(v1).drainingFor(60));
  await using load = await app.startLoad(200);
  const startedAtMs = await load.mark("deploys");
  const [slow, first] = [app.get("/slow?ms=5000", 30_000), await EchoStream.open(host.vps.address, app.domain)];
  await app.deploy(app.release(v2).drainingFor(60));
  const [slower, second] = [app.get("/slow?ms=5000", 30_000), await EchoStream.open(host.vps.address, app.domain)];
  const thirdAtMs = Date.now();
  await app.deploy(app.release(v3));
  const thirdMs = Date.now() - thirdAtMs;
  const servedAtMs = await load.mark("v3 serves");
  const seen = (await app.world()).edgeServers.map(
    (each) => `${each.name} ${each.takesRequests ? "serves" : "drains"}`,
  );
  expect(seen.sort()).toEqual(["d1-web-1 drains", "d2-web-1 drains", "d3-web-1 serves"]);
  expect(thirdMs).toBeLessThan(8_000); // of 60 s that the other two may drain
  expect([await slow, await slower]).toMatchObject([
    { status: 200, version: "v1" },
    { status: 200, version: "v2" },
  ]);
  for (const [stream, version] of [
    [first, "v1"],
    [second, "v2"],
  ] as const) {
    await stream.echo("still here");
    expect(stream.version).toBe(version);
    await stream.end();
  }
  await expectToSettle(app, { serving: 3, deployments: ["#1 good", "#2 good", "#3 current"] }, cleanUpMs);
  const allowed = [
    { version: "v1", toMs: servedAtMs },
    { version: "v2", toMs: servedAtMs },
    { version: "v3", fromMs: startedAtMs },
  ];
  expectFlawless(await load.stop(allowed));
});

test("a dead replica of two is out in about a second, and in again when it is back", async () => {
  const app = await host.addApp("paired");
  await app.deploy(app.release(v1).where("web", { deploy: { replicas: 2 } }));
  const isUp = async (server: string): Promise<boolean> => {
    const table = await askEdge(await host.connection(), "show stat paired_web_8080 4 -1");
    const row = table.split("\n").find((line) => line.startsWith(`paired_web_8080,${server},`));
    if (row === undefined) throw new Error(`no ${server} in ${table}`);
    return row.includes(",UP");
  };
  await until("both are up", async () => (await isUp("d1-web-1")) && (await isUp("d1-web-2")));
  const second = "paired-1-web-2-1";
  // Else the engine starts it again at once.
  await host.run(`docker update --restart no ${second} && docker kill ${second}`);
  const killedAtMs = Date.now();
  await until("it is out", async () => !(await isUp("d1-web-2")));
  const outMs = Date.now() - killedAtMs;
  expect(await app.versionsServed()).toEqual(["v1"]);
  await host.run(`docker update --restart unless-stopped ${second} && docker start ${second}`);
  const startedAtMs = Date.now();
  await until("it is in again", () => isUp("d1-web-2"));
  measured.push(`a dead replica was out ${outMs} ms after its end, in ${Date.now() - startedAtMs} ms after its start`);
  expect(outMs).toBeLessThan(2_500);
  expect(await app.versionsServed()).toEqual(["v1"]);
});

describe("in the middle of a switch", () => {
  /** Another app, which is to serve through all of it. */
  let beside: AppOnHost;
  beforeAll(async () => {
    beside = await serving("beside");
  });

  const killEdge = `kill -9 $(docker inspect --format '{{.State.Pid}}' ikoma-edge)`;
  const edgeIsBack = async (before: string): Promise<boolean> =>
    (await host.run("docker inspect --format '{{.State.Running}} {{.State.StartedAt}}' ikoma-edge")) !== before &&
    (await host.run("docker inspect --format '{{.State.Running}}' ikoma-edge")) === "true";

  test.each(["switching", "switched"] as const)("the edge dies, in the phase %s", async (phase) => {
    const app = await serving(`edge-${phase}`);
    await host.agentProcess.hold(phase);
    const before = await host.run("docker inspect --format '{{.State.Running}} {{.State.StartedAt}}' ikoma-edge");
    let isDone = false;
    const deploying = app.deploy(app.release(v2)).finally(() => (isDone = true));
    await until(`it is ${phase}`, async () =>
      (await app.ledger()).operations.some((each) => each.state === "running" && each.phase === phase),
    );
    await host.run(killEdge);
    await until("Docker has started the edge again", () => edgeIsBack(before));
    // Whoever is asked for meanwhile is what the ledger has.
    const now = phase === "switched" ? "v2" : "v1";
    await until(`${now} serves`, async () => (await app.versionsServed(4)).join() === now);
    expect(isDone).toBe(false);
    await host.agentProcess.letGo();
    expect(await deploying).toMatchObject({ number: 2, unchanged: false });
    await expectToSettle(app, versionTwo, cleanUpMs);
    expect(await app.versionsServed()).toEqual(["v2"]);
    expect(await beside.versionsServed()).toEqual(["v1"]);
  });

  test("the engine is restarted: the release before serves", async () => {
    const app = await serving("engine-restarted");
    const doomed = await startHeldIn("switching", host, app, (options) => app.deploy(app.release(v2), options));
    await host.run("service docker restart");
    await doomed.dropClient();
    await host.agentProcess.letGo();
    await until("the agent answers", () => host.agent.handshake());
    await expectToSettle(app, { serving: 1, deployments: ["#1 current", "#2 failed"] }, bootRecoveryMs);
    expect(await app.versionsServed()).toEqual(["v1"]);
  });

  test("the host is rebooted after the ledger has the switch: the new release serves", async () => {
    const app = await serving("rebooted");
    const doomed = await startHeldIn("switched", host, app, (options) => app.deploy(app.release(v2), options));
    await host.run("service docker stop");
    await host.vps.powerLoss();
    await doomed.dropClient();
    await host.vps.boot();
    await host.agentProcess.letGo();
    await until("the agent answers", () => host.agent.handshake());
    await expectToSettle(app, versionTwo, bootRecoveryMs);
    expect(await app.versionsServed()).toEqual(["v2"]);
  });

  test("another app is deployed and gets other domains: both serve what they should, under load", async () => {
    const app = await serving("switching");
    await using load = await app.startLoad();
    await using besideLoad = await beside.startLoad();
    // On the public route its check takes as long as the other deploy may: the edge has switched, and the ledger not yet.
    const checkMs = 6_000;
    const slow = app.release(v2).smokedAt(`/slow?ms=${checkMs}`, { timeoutSeconds: 20 });
    const doomed = await startDoomed(host, (options) => app.deploy(slow, options));
    await until("the next release answers", async () => (await app.get()).version === "v2");
    await beside.deploy(beside.release(v2));
    await beside.change("site.apply", { app: beside.name, domains: [beside.domain, "more.beside.test"] });
    expect((await app.ledger()).deployments.at(-1)).toMatchObject({ number: 2, status: "started" });
    expect(await app.versionsServed()).toEqual(["v2"]);

    await expectToSettle(app, versionTwo, checkMs + cleanUpMs);
    await expectToSettle(beside, versionTwo, cleanUpMs);
    await doomed.dropClient();
    expect([await app.versionsServed(), await beside.versionsServed()]).toEqual([["v2"], ["v2"]]);
    for (const report of [await load.stop(), await besideLoad.stop()]) expectFlawless(report);
  });
});

test("two apps with equal names of services and volumes see only their own, and one goes without the other", async () => {
  const apps = [await host.addApp("twin"), await host.addApp("double")] as const;
  for (const app of apps) {
    const database = { image: v3.reference, environment: { GREETING: `database of ${app.name}` }, user: "root" };
    const volume = { volumes: [{ type: "volume", source: "data", target: "/data" }] };
    await app.deployAccessories({ db: { ...database, ...volume } }, ["data"]);
    await app.deploy(app.release(v1));
    await host.run(`docker exec ${app.name}-accessories-db-1 sh -c 'echo ${app.name} >> /data/owner'`);
  }
  /** What answers the web of an app at these names and addresses. */
  const heardFromWeb = async (app: AppOnHost, ...places: string[]): Promise<string[]> => {
    const ask = `fetch('http://' + place + ':8080/', { signal: AbortSignal.timeout(1000) }).then((a) => a.text(), () => 'nobody')`;
    const script = `Promise.all(process.argv.slice(1).map((place) => ${ask})).then((all) => console.log(JSON.stringify(all)))`;
    const said = await host.run(`docker exec ${app.name}-1-web-1 node -e "${script}" ${places.join(" ")}`);
    return z.array(z.string()).parse(JSON.parse(said));
  };
  const [twin, double] = apps;
  const others = (await double.world()).containers.find(({ name }) => name === "double-accessories-db-1");
  const strangers = Object.values(others?.networks ?? {});
  expect(await heardFromWeb(twin, "db", ...strangers)).toEqual([
    expect.stringContaining("database of twin"),
    ...["nobody", "nobody"],
  ]);
  expect(await heardFromWeb(double, "db")).toEqual([expect.stringContaining("database of double")]);
  for (const { name } of apps)
    expect(await host.run(`docker exec ${name}-accessories-db-1 cat /data/owner`)).toBe(name);

  await using load = await double.startLoad();
  const before = (await double.world()).containers.map(({ id, startedAt }) => `${id} ${startedAt}`);
  await twin.remove();
  await expectToSettle(twin, { serving: undefined, deployments: ["#1 pruned"] }, cleanUpMs);
  expect((await double.world()).containers.map(({ id, startedAt }) => `${id} ${startedAt}`)).toEqual(before);
  expect(await heardFromWeb(double, "db")).toEqual([expect.stringContaining("database of double")]);
  expect(await host.run("docker volume ls --quiet | grep -E '^(twin|double)_' | sort")).toBe("double_data\ntwin_data");
  expectFlawless(await load.stop([{ version: "v1" }]));
});

test("no network is drawn from where the host has a route to", async () => {
  const route = "10.210.0.0/17 dev lo";
  await host.run(`ip route add ${route}`);
  try {
    const app = await serving("routed");
    const subnets = await host.run(
      `docker network ls --quiet --filter label=dev.ikoma.app=${app.name} | xargs docker network inspect --format '{{range .IPAM.Config}}{{.Subnet}}{{end}}'`,
    );
    expect(subnets).toMatch(/^10\.210\.(12[89]|1[3-9]\d|2\d\d)\./);
    await app.remove();
  } finally {
    await host.run(`ip route del ${route}`);
  }
});

test("twelve deploys in a row leave nothing behind", async () => {
  const app = await host.addApp("often");
  const images = await Promise.all([0, 1, 2, 3].map((each) => pushTinyWeb(`n${each}`)));
  const deployUpTo = async (last: number): Promise<void> => {
    for (let { length } = (await app.ledger()).deployments; length < last; length++) {
      const image = images[length % images.length] ?? v1;
      const release = app.release(image).drainingFor(1);
      const bundle = { app: app.name, bundle: release.spec.bundle, images: [image.reference], redeploy: false };
      await app.change("bundle.stage", bundle);
      await app.deploy(release, { keep: 1 });
    }
    await expectToSettle(app, { serving: last, deployments: newestKept(last, 1) }, cleanUpMs);
  };
  /** Once the images of what is no longer kept have gone, the last to do so. */
  const trace = (): Promise<HostTrace> =>
    until("the images of two releases are left", async () => {
      const found = await hostTrace(host.vps, await host.connection());
      const names = found.images.filter((each) =>
        images.some(({ reference }) => each.includes(reference.split("@")[1] ?? "?")),
      );
      return names.length === 2 && found;
    });
  await deployUpTo(4);
  const before = await trace();
  await deployUpTo(12);
  expect(await trace()).toEqual(before);
});
