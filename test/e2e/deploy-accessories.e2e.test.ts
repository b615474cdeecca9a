import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { pushTinyWeb, until, type TinyWebImage } from "./fixture/index.ts";
import { startDeployLab, webWithDatabase } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
let v1: TinyWebImage;
let v2: TinyWebImage;

const password = "pa$$w0rd-for-the-database";

beforeAll(async () => {
  lab = await startDeployLab("accessories");
  [v1, v2] = await Promise.all([pushTinyWeb("v1"), pushTinyWeb("v2")]);
  const settings = { env: { GREETING: "one" }, health: { path: "/health", timeoutSeconds: 20 } };
  ({ project, app } = await lab.addProject({ name: "store", compose: webWithDatabase, settings }));
  await project.setSecret("POSTGRES_PASSWORD", password);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** Runs SQL as a client on the database's network does: with the password, over TCP. */
async function query(sql: string): Promise<string[]> {
  const { name } = await app.container("db");
  const url = `postgres://shop:${encodeURIComponent(password)}@127.0.0.1:5432/shop`;
  const { code, stdout, stderr } = await lab.host.vps.exec(
    `docker exec -i ${name} psql '${url}' --quiet --tuples-only --no-align`,
    {
      stdin: sql,
    },
  );
  if (code !== 0) throw new Error(`${sql}: ${stderr}`);
  return stdout.split("\n").filter((line) => line !== "");
}

/** Adds an order each 20 ms or so until it is stopped; gives the ids that the database has acknowledged. */
function keepOrdering(prefix: string): { stop: () => Promise<string[]> } {
  const acknowledged: string[] = [];
  const control = { goesOn: true };
  const work = (async () => {
    for (let number = 1; control.goesOn; number += 1) {
      await query(`INSERT INTO orders VALUES ('${prefix}-${number}')`);
      acknowledged.push(`${prefix}-${number}`);
    }
  })();
  return {
    stop: async () => {
      control.goesOn = false;
      await work;
      return acknowledged;
    },
  };
}

test("a deploy brings up the database, which the release reaches by its name", async () => {
  const { apps } = await project.apply("--bundle", await project.bundle(v1));
  expect(apps["store"]).toMatchObject({ number: 1, version: "v1" });
  expect((await app.inShort()).containers).toEqual(["store-1-web-1 running", "store-accessories-db-1 running"]);
  expect(await app.variable("DATABASE_URL")).toBe(`postgres://shop:${password}@db:5432/shop`);
  const { name } = await app.container("web");
  const connect = `require("net").connect(5432, "db").on("connect", () => process.exit(0)).on("error", () => process.exit(1))`;
  expect(await lab.host.vps.exec(`docker exec ${name} node -e '${connect}'`)).toMatchObject({ code: 0 });
  await query("CREATE TABLE orders (id text PRIMARY KEY)");
  await query("INSERT INTO orders VALUES ('under-v1')");
});

test("a deploy of another release leaves the database as it is", async () => {
  const database = await app.container("db");
  await project.configure(["env", "GREETING"], "two");
  const writing = keepOrdering("while-deploying");
  const { apps, plan } = await project.apply("--bundle", await project.bundle(v2));
  const written = await writing.stop();
  expect(apps["store"]).toMatchObject({ number: 2, version: "v2" });
  expect(plan.find(({ part }) => part === "accessories")?.operation).toBe("same");
  const { id, startedAt } = await app.container("db");
  expect({ id, startedAt }).toEqual({ id: database.id, startedAt: database.startedAt });
  expect(written.length).toBeGreaterThan(5);
  expect(await query("SELECT id FROM orders")).toEqual(expect.arrayContaining(["under-v1", ...written]));
});

test("a rollback restores the environment, and keeps database and data", async () => {
  const database = await app.container("db");
  await query("INSERT INTO orders VALUES ('under-v2')");
  const writing = keepOrdering("while-rolling-back");
  const { apps, plan } = await project.rollBack();
  const written = await writing.stop();
  expect(apps["store"]?.version).toBe("v1");
  expect(await app.versions()).toEqual(["v1"]);
  expect(await app.variable("GREETING")).toBe("one");
  expect(await project.setting("env")).toEqual({ GREETING: "one" });

  const { id, startedAt } = await app.container("db");
  expect({ id, startedAt }).toEqual({ id: database.id, startedAt: database.startedAt });
  expect(plan.find(({ part }) => part === "accessories")?.operation).toBe("same");
  expect(written.length).toBeGreaterThan(5);
  const stored = await query("SELECT id FROM orders");
  expect(stored).toEqual(expect.arrayContaining(["under-v1", "under-v2", ...written]));
});

test("a new release after the rollback starts from the newest accessories again", async () => {
  const database = await app.container("db");
  expect(await project.setting("accessoriesBundle")).toEqual(expect.stringContaining("store-bundle@sha256:"));
  await project.apply("--redeploy", "--bundle", await project.bundle(v2));
  expect(await project.setting("accessoriesBundle")).toBeUndefined();
  expect(await app.versions()).toEqual(["v2"]);
  expect((await app.container("db")).startedAt).toBe(database.startedAt);
});

test("a database that fell behind its back is in the plan, and put up again with its data", async () => {
  const { name } = await app.container("db");
  const { startedAt } = await app.container("web");
  await lab.host.vps.exec(`docker rm --force ${name}`);
  const { changes, entries } = await project.plan();
  expect(changes).toBe(true);
  expect(entries.find(({ part }) => part === "accessories")?.drift.join("\n")).toMatch(/db/);
  await project.apply();
  await until("the database answers", () => query("SELECT 1").then((rows) => rows.length === 1));
  expect(await query("SELECT id FROM orders")).toContain("under-v1");
  expect((await app.container("web")).startedAt).toBe(startedAt);
  expect(await project.plan()).toMatchObject({ changes: false });
});
