import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  askEdge,
  expectFlawless,
  expectToSettle,
  postgresService,
  pushTinyWeb,
  query,
  recreateByHand,
  startAgentHost,
  startHeldIn,
  until,
} from "./fixture/index.ts";
import type { AgentHost, AppOnHost, ContainerSeen, TinyWebImage } from "./fixture/index.ts";

/** What is left to do after the answer: draining without a connection, stopping, removing. */
const cleanUpMs = 8_000;

let host: AgentHost;
let v1: TinyWebImage;
let v2: TinyWebImage;

beforeAll(async () => {
  host = await startAgentHost("upkeep");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  await host.pull(v1.reference, v2.reference);
}, 300_000);

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

async function containerOf(app: AppOnHost, name: string): Promise<ContainerSeen> {
  const found = (await app.world()).containers.find((each) => each.name === `${app.name}-${name}`);
  if (found === undefined) throw new Error(`there is no container ${app.name}-${name}`);
  return found;
}

/** Identity and start of containers: equal only if nothing was restarted. */
function lives(...containers: ContainerSeen[]): string[] {
  return containers.map(({ name, id, startedAt }) => `${name} ${id} ${startedAt}`);
}

const connectScript =
  "require('net').connect(5432, 'db').on('connect', () => process.exit(0)).on('error', () => process.exit(1))";

async function canReachDatabase(container: string): Promise<boolean> {
  return (await host.vps.exec(`docker exec ${container} node -e "${connectScript}"`)).code === 0;
}

describe("accessories and data", () => {
  test("the accessories live on through deploys, and each release finds them by name", async () => {
    const app = await host.addApp("stocked");
    await app.deployAccessories({ db: await postgresService(host) }, ["data"]);
    await app.deploy(app.release(v1));
    expect(await canReachDatabase("stocked-1-web-1")).toBe(true);
    const before = lives(await containerOf(app, "accessories-db-1"));
    await app.deploy(app.release(v2));
    expect(await canReachDatabase("stocked-2-web-1")).toBe(true);
    const settled = { serving: 2, deployments: ["#1 good", "#2 current"], accessories: ["db"] };
    await expectToSettle(app, settled, cleanUpMs);
    expect(lives(await containerOf(app, "accessories-db-1"))).toEqual(before);
  });

  test("only the accessory whose definition changed is recreated, and the release finds it again", async () => {
    const app = await host.addApp("tuned");
    const database = await postgresService(host);
    const cache = { image: v1.reference };
    await app.deployAccessories({ db: database, cache }, ["data"]);
    await app.deploy(app.release(v1));
    await query(host.vps, "tuned-accessories-db-1", "create table stock as select 42 as pieces");
    const look = () =>
      Promise.all(["1-web-1", "accessories-cache-1", "accessories-db-1"].map((name) => containerOf(app, name)));
    const [web, oldCache, oldDatabase] = lives(...(await look()));

    expect(await app.deployAccessories({ db: database, cache }, ["data"])).toMatchObject({ unchanged: true });
    expect(lives(...(await look()))).toEqual([web, oldCache, oldDatabase]);

    const tuned = {
      ...database,
      environment: { POSTGRES_USER: "app", POSTGRES_PASSWORD: "secret", TZ: "Europe/Paris" },
    };
    expect(await app.deployAccessories({ db: tuned, cache }, ["data"])).toMatchObject({ unchanged: false });
    const [webAfter, cacheAfter, databaseAfter] = lives(...(await look()));
    expect([webAfter, cacheAfter]).toEqual([web, oldCache]);
    expect(databaseAfter).not.toBe(oldDatabase);
    expect(await canReachDatabase("tuned-1-web-1")).toBe(true);
    expect(await query(host.vps, "tuned-accessories-db-1", "select pieces from stock")).toBe("42");
  });

  test("a volume keeps its data through deploys and the removal of the app", async () => {
    const app = await host.addApp("keeping");
    const release = (image: TinyWebImage) => app.release(image).keepingData("files", "/data");
    const inWeb = async (number: number, command: string): Promise<string> =>
      host.run(`docker exec --user root keeping-${number}-web-1 sh -c '${command}'`);
    await app.deploy(release(v1));
    await inWeb(1, "echo kept > /data/note");
    await app.deploy(release(v2));
    expect(await inWeb(2, "cat /data/note")).toBe("kept");

    await app.remove();
    await expectToSettle(app, { serving: undefined, deployments: ["#1 pruned", "#2 pruned"] }, cleanUpMs);
    expect(await app.get()).toMatchObject({ status: 404, version: undefined });
    expect((await host.vps.exec("docker volume ls --quiet --filter name=keeping")).stdout).toBe("keeping_files\n");

    await app.open();
    await app.deploy(release(v1));
    expect(await inWeb(3, "cat /data/note")).toBe("kept");
  });
});

describe("what a hand changed of the release", () => {
  let app: AppOnHost;
  beforeAll(async () => {
    app = await host.addApp("drifting");
    await app.deploy(app.release(v1).with({ GREETING: "hello" }));
  });

  const web = (number: number): string => `drifting-${number}-web-1`;
  /** The address is in the pool of the releases, but no container has it. */
  const intruder = "drifting_web_8080/d99-web-1 10.210.250.2:8080";
  const damages: { what: string; damage: (number: number) => Promise<unknown>; path: string; message: RegExp }[] = [
    {
      what: "a container that was killed",
      damage: (number) => host.run(`docker kill ${web(number)}`),
      path: "services.web.state",
      message: /the container is exited \(exit code 137\)/,
    },
    {
      what: "a container that was removed",
      damage: (number) => host.run(`docker rm --force ${web(number)}`),
      path: "services.web",
      message: /1 of 1 containers missing/,
    },
    {
      what: "another value in the environment",
      damage: (number) => recreateByHand(host.vps, web(number), { environment: { GREETING: "tampered" } }),
      path: "services.web.environment.GREETING",
      message: /^web: the variable GREETING has another value$/,
    },
    {
      what: "a variable that was added",
      damage: (number) => recreateByHand(host.vps, web(number), { environment: { BACKDOOR: "open" } }),
      path: "services.web.environment.BACKDOOR",
      message: /^web: the variable BACKDOOR was added$/,
    },
    {
      what: "another image",
      damage: (number) => recreateByHand(host.vps, web(number), { image: v2.reference }),
      path: "services.web.image",
      message: /the container runs .*tiny-web@sha256:/,
    },
    {
      what: "a server that was taken off the edge",
      damage: (number) =>
        tellEdge(
          `set server drifting_web_8080/d${number}-web-1 state maint`,
          `del server drifting_web_8080/d${number}-web-1`,
        ),
      path: "routes",
      message: /the edge has no server for the app/,
    },
    {
      what: "a server that was put on the edge",
      damage: () => tellEdge(`add server ${intruder}`, "set server drifting_web_8080/d99-web-1 state ready"),
      path: "routes",
      message: /the edge serves d99-web-1 at 10\.210\.250\.2, which is no container of #/,
    },
  ];

  async function tellEdge(...commands: string[]): Promise<void> {
    for (const command of commands) await askEdge(await host.connection(), command);
  }

  test.each(damages)("$what is reported, and put right by the same deploy", async ({ damage, path, message }) => {
    const release = app.release(v1).with({ GREETING: "hello" });
    expect((await app.readRelease(release)).drift).toEqual([]);
    const number = (await app.ledger()).deployments.find((each) => each.status === "current")?.number ?? 0;
    // Its look at the edge, 20 s after a start, would put some of this right before it is read.
    await host.agentProcess.restart();
    await host.agent.handshake();

    await damage(number);
    const { drift, exists } = await app.readRelease(release);
    expect(exists).toBe(true);
    expect(drift).toContainEqual(expect.objectContaining({ path, message: expect.stringMatching(message) }));
    expect(JSON.stringify(drift)).not.toMatch(/tampered|open|hello/);

    expect(await app.deploy(release, { keep: 50 })).toMatchObject({ unchanged: false });
    expect((await app.readRelease(release)).drift).toEqual([]);
    const { deployments } = await app.ledger();
    const serving = deployments.find((each) => each.status === "current")?.number;
    const statuses = deployments.map((each) => `#${each.number} ${each.number === serving ? "current" : "good"}`);
    await expectToSettle(app, { serving, deployments: statuses }, cleanUpMs);
    expect(await app.get()).toMatchObject({ status: 200, version: "v1", body: expect.stringContaining("hello from") });
  });
});

describe("what a hand changed of the accessories", () => {
  const container = "lasting-accessories-db-1";
  let app: AppOnHost;
  let database: Record<string, unknown>;
  beforeAll(async () => {
    app = await host.addApp("lasting");
    database = await postgresService(host);
    await app.deployAccessories({ db: database }, ["data"]);
    await app.deploy(app.release(v1));
    await query(host.vps, container, "create table stock as select 42 as pieces");
  });

  const damages: { what: string; damage: () => Promise<unknown>; path: string; message: RegExp }[] = [
    {
      what: "a container that was killed",
      damage: () => host.run(`docker kill ${container}`),
      path: "services.db.state",
      message: /the container is exited \(exit code 137\)/,
    },
    {
      what: "a container that was removed",
      damage: () => host.run(`docker rm --force ${container}`),
      path: "services.db",
      message: /the container is missing/,
    },
    {
      what: "another value in the environment",
      damage: () => recreateByHand(host.vps, container, { environment: { POSTGRES_DB: "tampered" } }),
      path: "services.db.environment.POSTGRES_DB",
      message: /^db: the variable POSTGRES_DB has another value$/,
    },
    {
      what: "a container cut off from the release",
      damage: () => host.run(`docker network disconnect lasting-1 ${container}`),
      path: "services.db.networks",
      message: /not attached to the release's network lasting-1/,
    },
  ];

  test.each(damages)("$what is reported, and put right by the same apply", async ({ damage, path, message }) => {
    const expected = app.accessories({ db: database }, ["data"]);
    expect((await app.readAccessories(expected)).drift).toEqual([]);
    await damage();
    const { drift } = await app.readAccessories(expected);
    expect(drift).toContainEqual(expect.objectContaining({ path, message: expect.stringMatching(message) }));
    expect(JSON.stringify(drift)).not.toMatch(/tampered|secret/);

    const web = lives(await containerOf(app, "1-web-1"));
    expect(await app.deployAccessories({ db: database }, ["data"])).toMatchObject({ unchanged: false });
    expect((await app.readAccessories(expected)).drift).toEqual([]);
    await expectToSettle(app, { serving: 1, deployments: ["#1 current"], accessories: ["db"] }, cleanUpMs);
    expect(lives(await containerOf(app, "1-web-1"))).toEqual(web);
    expect(await canReachDatabase("lasting-1-web-1")).toBe(true);
    expect(await query(host.vps, container, "select pieces from stock")).toBe("42");
  });
});

describe("a ledger that was lost", () => {
  const agentFolder = "/var/lib/ikoma/agent";
  let app: AppOnHost;
  beforeAll(async () => {
    app = await host.addApp("found");
    await app.deployAccessories({ cache: { image: v1.reference } });
    await app.deploy(app.release(v1));
    await app.deploy(app.release(v2));
    await settled(2, ["#1 good", "#2 current"]);
  });

  function settled(serving: number, deployments: string[]): Promise<number> {
    return expectToSettle(app, { serving, deployments, accessories: ["cache"] }, cleanUpMs);
  }

  async function standing(): Promise<string[]> {
    return lives(...(await app.world()).containers);
  }

  async function told(): Promise<string> {
    await until("the agent answers", () => host.agent.handshake());
    const { apps, repairs } = await host.agent.call("app.status", {});
    return JSON.stringify([apps.find((each) => each.app === app.name)?.rebuilt, repairs]);
  }

  test("is rebuilt from its records: everybody is served on, and the app can be deployed and rolled back", async () => {
    const before = await standing();
    await using load = await app.startLoad();
    await host.agentProcess.restartAfter(`rm ${agentFolder}/ledger.db*`);
    const status = await told();
    expect(await app.versionsServed()).toEqual(["v2"]);
    expect(status).toMatch(/"app":"found","message":"[^"]*ledger was lost[^"]*rebuilt from its record[^"]*#2 serves"/);
    expect(await app.deploy(app.release(v2))).toMatchObject({ number: 2, unchanged: true });
    await settled(2, ["#1 good", "#2 current"]);
    expect(await standing()).toEqual(before);

    expect(await app.deploy(app.release(v1).with({ GREETING: "third" }))).toMatchObject({ number: 3 });
    const { source } = await host.agent.call("app.deployment", { app: app.name, number: 2 });
    expect(source).toEqual({ bundle: app.release(v2).spec.bundle });
    expect(await app.deploy(app.release(v2), { rollbackTo: 2 })).toMatchObject({ number: 4, unchanged: false });
    await settled(4, ["#1 good", "#2 good", "#3 good", "#4 current"]);
    expectFlawless(await load.stop());
    expect(await app.versionsServed()).toEqual(["v2"]);
  });

  test("in the middle of a deploy, damaged, with records and key gone, is rebuilt from what runs", async () => {
    const before = await standing();
    await using load = await app.startLoad();
    // The rollback has put its bundle onto the withdrawn list.
    const next = app.release(v1).with({ GREETING: "next" });
    const doomed = await startHeldIn("baking", host, app, (options) =>
      app.deploy(next, { ...options, redeploy: true }),
    );
    await doomed.dropClient();
    const damage = `head -c 100000 /dev/urandom > ${agentFolder}/ledger.db`;
    await host.agentProcess.restartAfter(
      `${damage}; rm -rf ${agentFolder}/ledger.db-* ${agentFolder}/hold ${agentFolder}/host.key /var/lib/ikoma/releases`,
    );
    const status = await told();
    expect(status).toMatch(/^\["rebuilt from what runs[^"]*the next deploy of the same release adopts it"/);
    expect(status).toMatch(/the ledger could not be read[^"]*moved to [^"]*ledger\.db\.unreadable-/);
    expect(status).toMatch(/"app":"found","message":"[^"]*rebuilt from what runs: #4 serves; not known any more: /);
    await settled(4, ["#4 current", "#5 failed"]);
    expect(await standing()).toEqual(before);
    expect(await app.versionsServed()).toEqual(["v2"]);
    const { drift } = await app.readRelease(app.release(v2));
    expect(drift).toMatchObject([{ path: "bundle" }]);

    await app.deployAccessories({ cache: { image: v1.reference } });
    expect(await app.deploy(app.release(v2))).toMatchObject({ number: 4, unchanged: true });
    expect((await app.readRelease(app.release(v2))).drift).toEqual([]);
    expect(await standing()).toEqual(before);
    expect(await app.deploy(next)).toMatchObject({ number: 6, unchanged: false });
    await settled(6, ["#4 good", "#5 failed", "#6 current"]);
    expectFlawless(await load.stop());
    expect(await app.versionsServed()).toEqual(["v1"]);
    expect(await host.run(`ls ${agentFolder} | grep -c ledger.db.unreadable`)).toBe("1");
  });
});
