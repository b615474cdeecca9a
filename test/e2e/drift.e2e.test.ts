import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { askEdge, expectFlawless, pushTinyWeb, recreateByHand, until, type TinyWebImage } from "./fixture/index.ts";
import { readLedger } from "./fixture/ledger-view.ts";
import { startDeployLab, webWithDatabase } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;
let v2: TinyWebImage;

const database = "shop-accessories-db-1";
const volume = "shop_db-data";
const edgeConfig = "/var/lib/ikoma/edge/haproxy.cfg";

beforeAll(async () => {
  lab = await startDeployLab("drift");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  await lab.host.pull(v2.reference);
  const settings = { env: { GREETING: "welcome" }, health: { path: "/health", timeoutSeconds: 20 } };
  ({ project, app } = await lab.addProject({ name: "shop", compose: webWithDatabase, settings }));
  await project.setSecret("POSTGRES_PASSWORD", "pa$$w0rd-for-the-database");
  // What is looked at here is what an apply repairs: the agent's own look every 20 s would be there before it.
  await lab.host.run("mkdir -p /var/lib/ikoma/agent/hold && touch /var/lib/ikoma/agent/hold/sweep");
  await project.apply("--bundle", await project.bundle(v1));
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

async function tellEdge(command: string): Promise<string> {
  return askEdge(await lab.host.connection(), command);
}

/** Name of the web service's container, and of its server on the edge. */
async function web(): Promise<{ container: string; server: string }> {
  const { name } = await app.container("web");
  return { container: name, server: `shop_web_8080/d${/^shop-(\d+)-/.exec(name)?.[1] ?? ""}-web-1` };
}

/** Identity and start of everything that runs, by what it is: equal only if nothing was restarted. */
async function lives(): Promise<Record<"web" | "db" | "edge", string>> {
  const [webNow, db] = await Promise.all(["web", "db"].map((service) => app.container(service)));
  const edge = await lab.host.run("docker inspect --format '{{.Id}} {{.State.StartedAt}}' ikoma-edge");
  return { web: `${webNow?.id ?? ""} ${webNow?.startedAt ?? ""}`, db: `${db?.id ?? ""} ${db?.startedAt ?? ""}`, edge };
}

async function expectClean(): Promise<void> {
  // What a new release took over from drains for a while.
  await until("one release is left", async () => (await app.containers()).length === 2);
  expect(await project.drift()).toMatchObject({ exitCode: 0, state: "clean", differences: [], unreadable: [] });
  expect(await app.versions(4)).toEqual(["v1"]);
}

/** What differs, as `part path`. */
function places({ differences }: Awaited<ReturnType<AppProject["drift"]>>): string[] {
  return [...new Set(differences.map(({ part, path }) => `${part} ${path}`))].sort();
}

test("a stack that is as it was applied has no drift, and looking changes neither state nor host", async () => {
  const look = async () => [
    await project.stateText(),
    await app.inShort(),
    await lives(),
    await readLedger(lab.host.vps, "shop"),
  ];
  const before = await look();
  expect(await project.drift()).toMatchObject({ exitCode: 0, state: "clean", checked: 4, differences: [] });
  expect(await look()).toEqual(before);
  const human = await project.ikoma("drift", "--app", "shop");
  expect(human).toMatchObject({
    code: 0,
    stdout: "no drift: 4 resources of prod compared, all as they were applied.\n",
  });
});

interface Case {
  what: string;
  damage: () => Promise<unknown>;
  /** `part path` of everything that is reported. */
  places: string[];
  message: RegExp;
  /** What may have another start afterwards. */
  restarts: "web" | "db" | "nothing";
  /** The app answers all the time. */
  serves: boolean;
}

const cases: Case[] = [
  {
    what: "a container that was killed",
    damage: async () => lab.host.run(`docker kill ${(await web()).container}`),
    places: ["release services.web.state"],
    message: /^web: the container is exited \(exit code 137\)$/,
    restarts: "web",
    serves: false,
  },
  {
    what: "a container that was removed",
    damage: async () => lab.host.run(`docker rm --force ${(await web()).container}`),
    places: ["release services.web"],
    message: /^web: 1 of 1 containers missing$/,
    restarts: "web",
    serves: false,
  },
  {
    what: "a container that was made by hand with another environment",
    damage: async () => {
      await recreateByHand(lab.host.vps, (await web()).container, { environment: { GREETING: "tampered" } });
      await until("it serves", async () => (await app.get()).status === 200);
    },
    places: ["release services.web.environment.GREETING"],
    message: /^web: the variable GREETING has another value$/,
    restarts: "web",
    serves: true,
  },
  {
    what: "a container that was made by hand without the agent's labels",
    damage: async () => {
      await recreateByHand(lab.host.vps, (await web()).container, { withoutLabels: true });
      await until("it serves", async () => (await app.get()).status === 200);
    },
    places: ["release services.web"],
    message: /^web: 1 of 1 containers missing; shop-\d+-web-1 was made by hand, without the agent's labels$/,
    restarts: "web",
    serves: true,
  },
  {
    what: "a container of another image",
    damage: async () => {
      await recreateByHand(lab.host.vps, (await web()).container, { image: v2.reference });
      await until("it serves", async () => (await app.get()).status === 200);
    },
    places: ["release services.web.image"],
    message: /^web: the container runs .*tiny-web@sha256:/,
    restarts: "web",
    serves: true,
  },
  {
    what: "a server of the edge at another address",
    damage: async () => tellEdge(`set server ${(await web()).server} addr 10.210.250.2 port 8080`),
    places: ["release routes"],
    message: /^the edge serves d\d+-web-1 at 10\.210\.250\.2, which is no container of #\d+$/,
    restarts: "nothing",
    serves: false,
  },
  {
    what: "a server of the edge in maintenance",
    damage: async () => tellEdge(`set server ${(await web()).server} state maint`),
    places: ["release routes"],
    message: /^the edge has no server for the app$/,
    restarts: "nothing",
    serves: false,
  },
  {
    what: "a server of the edge with another weight",
    damage: async () => tellEdge(`set server ${(await web()).server} weight 7`),
    places: ["release routes"],
    message: /^the edge gives d\d+-web-1 the weight 7$/,
    restarts: "nothing",
    serves: true,
  },
  {
    what: "the edge's configuration edited on disk",
    damage: () => lab.host.run(`sed -i 's/timeout client .*/timeout client 1ms/' ${edgeConfig}`),
    places: ["site configuration"],
    message: /^haproxy\.cfg of the edge was altered on disk$/,
    restarts: "nothing",
    serves: true,
  },
  {
    what: "a database taken off the release's network",
    damage: async () =>
      lab.host.run(`docker network disconnect ${(await web()).container.replace(/-web-1$/, "")} ${database}`),
    places: ["accessories services.db.networks"],
    message: /^db: the container is not attached to the release's network shop-\d+$/,
    restarts: "nothing",
    serves: true,
  },
  {
    what: "a database taken off its own network",
    damage: () => lab.host.run(`docker network disconnect shop-accessories ${database}`),
    places: ["accessories services.db.networks"],
    message: /^db: the container is not attached to its network shop-accessories$/,
    restarts: "nothing",
    serves: true,
  },
  {
    what: "a database that was paused",
    damage: () => lab.host.run(`docker pause ${database}`),
    places: ["accessories services.db.state"],
    message: /^db: the container is paused/,
    restarts: "nothing",
    serves: true,
  },
  {
    what: "a route that is gone from the edge",
    damage: async () => {
      const map = /\((\S*\/routes-\S+\.map)\)/.exec(await tellEdge("show map"))?.[1] ?? "";
      await tellEdge(`del map ${map} shop/`);
      expect(await app.get()).toMatchObject({ status: 404 });
    },
    places: ["release routes"],
    message: /^the edge has no route \/ to web:8080$/,
    restarts: "nothing",
    serves: false,
  },
];

describe("made behind the agent's back: named, repaired with the least restart, and then gone", () => {
  test.each(cases)("$what", async ({ damage, places: expected, message, restarts, serves }) => {
    const before = await lives();
    const config = await lab.host.run(`cat ${edgeConfig}`);
    await damage();

    const found = await project.drift();
    expect({ exitCode: found.exitCode, state: found.state, places: places(found) }).toEqual({
      exitCode: 7,
      state: "drifted",
      places: expected,
    });
    const [part = ""] = expected[0]?.split(" ") ?? [];
    const named = { host: "vps1", app: "shop", part, message: expect.stringMatching(message) };
    expect(found.differences).toContainEqual(expect.objectContaining(named));
    expect(JSON.stringify(found)).not.toMatch(/tampered|welcome|w0rd/);

    await using load = serves ? await app.startLoad() : undefined;
    expect(await project.apply()).toMatchObject({ changed: true, apps: { shop: { version: "v1" } } });
    if (load !== undefined) expectFlawless(await load.stop());
    await expectClean();
    const after = await lives();
    const restarted = Object.keys(after).filter(
      (key) => after[key as keyof typeof after] !== before[key as keyof typeof before],
    );
    expect(restarted).toEqual(restarts === "nothing" ? [] : [restarts]);
    if (restarts === "nothing") expect(await lab.host.run(`cat ${edgeConfig}`)).toBe(config);
    expect(await app.variable("GREETING")).toBe("welcome");
  });
});

describe("a volume that is gone with its data", () => {
  const tables = async (): Promise<string> =>
    until("the database answers", async () =>
      lab.host.run(
        `docker exec ${database} psql -U shop -d shop -Atqc "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"`,
      ),
    );

  test("is named, and not made anew in silence", async () => {
    await until("the database answers", () =>
      lab.host.run(`docker exec ${database} psql -U shop -d shop -c 'CREATE TABLE orders (id int)'`),
    );
    const before = (await lives()).edge;
    const served = await app.container("web");
    await lab.host.run(`docker rm --force ${database} && docker volume rm ${volume}`);
    const found = await project.drift();
    expect(found).toMatchObject({ exitCode: 7, state: "drifted" });
    expect(places(found)).toEqual(["accessories services.db", "accessories volumes.db-data"]);
    expect(found.differences).toContainEqual(
      expect.objectContaining({
        path: "volumes.db-data",
        repair: expect.stringContaining("--recreate-volume db-data"),
      }),
    );

    await using load = await app.startLoad();
    const refused = await project.applyBadly();
    expect(refused).toMatchObject({ exitCode: 4, code: "VOLUME_MISSING" });
    expect(refused.message).toMatch(
      /^The volume shop_db-data is gone from the host, and with it what shop kept in it\./,
    );
    expect(refused.hint).toMatch(/ikoma deploy apply .*--recreate-volume db-data/);
    expect((await lab.host.vps.exec(`docker volume inspect ${volume}`)).code).not.toBe(0);
    // Asked twice is not the same as agreed.
    expect(await project.applyBadly()).toMatchObject({ code: "VOLUME_MISSING" });

    await project.apply("--recreate-volume", "db-data");
    expectFlawless(await load.stop());
    expect(await tables()).toBe("0");
    await expectClean();
    expect(await app.container("web")).toEqual(served);
    expect((await lives()).edge).toBe(before);
  });
});

test("a host that is away is named as unknown, hides nothing, and is as it was when it is back", async () => {
  const before = await lives();
  await lab.host.stopSsh();
  try {
    const found = await project.drift();
    expect(found).toMatchObject({ exitCode: 7, state: "unknown", checked: 0, differences: [] });
    expect(found.unreadable.map(({ host, app: name, part, code }) => `${host} ${name} ${part} ${code}`)).toEqual(
      ["accessories", "bundle", "release", "site"].map((part) => `vps1 shop ${part} HOST_UNREACHABLE`),
    );
    expect(found.unreadable[0]?.hint).toMatch(/server is up/);
  } finally {
    await lab.host.startSsh();
  }
  expect(await project.applyAgain()).toEqual([]);
  await expectClean();
  expect(await lives()).toEqual(before);
});
