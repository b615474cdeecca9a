import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import * as z from "zod";
import { pushToRegistry } from "../lab/index.ts";
import { runChecked } from "../lab/run-command.ts";
import { expectFlawless, until } from "./fixture/index.ts";
import { httpPost } from "./fixture/http-request.ts";
import { startDeployLab } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

const example = join(import.meta.dirname, "../../examples/job-board");
const registry = "10.77.0.1:5000";
const jobs = z.array(z.object({ id: z.string(), worker: z.string(), runs: z.number() }));

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;
const bundles: Record<string, string> = {};

beforeAll(async () => {
  lab = await startDeployLab("classic");
  const compose = await readFile(join(example, "compose.yaml"), "utf8");
  ({ project, app } = await lab.addProject({ name: "board", compose, settings: { health: { path: "/health" } } }));
  for (const file of ["app.env", "schema.sql"]) await cp(join(example, file), join(project.folder, file));
  await project.setSecret("POSTGRES_PASSWORD", "correct horse");
  for (const version of ["v1", "v2"]) bundles[version] = await bundleOf(version);
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

/** Built and bundled by the commands of the example's README. */
async function bundleOf(version: string): Promise<string> {
  const tag = `ikoma-e2e/job-board:${version}`;
  await runChecked("docker", ["build", "--quiet", "--tag", tag, "--build-arg", `APP_VERSION=${version}`, example]);
  const image = await pushToRegistry(tag, tag);
  const what = ["--app", "board", "--version", version, "--image", `web=${image}`, "--image", `worker=${image}`];
  const where = ["--push", `${registry}/board-bundle`, "--registry-mirror", `docker.io=http://${registry}`];
  const made = await project.ikoma("bundle", "create", "--include-env-file", "app.env", ...what, ...where);
  if (made.code !== 0) throw new Error(made.stderr);
  return made.stdout.trim();
}

async function addJob(): Promise<string> {
  const { status, body } = await httpPost(lab.host.vps.address, "board.test", "/jobs");
  expect(status).toBe(201);
  return z.object({ id: z.string() }).parse(JSON.parse(body)).id;
}

async function done(): Promise<z.infer<typeof jobs>> {
  return jobs.parse(JSON.parse((await app.get("/jobs")).body));
}

/** Adds jobs one after another until `work` has ended; gives their ids. */
async function addingJobs(work: Promise<unknown>): Promise<string[]> {
  const ids: string[] = [];
  const ended = work.then(() => true);
  do ids.push(await addJob());
  while (!(await Promise.race([ended, new Promise<false>((resolve) => setTimeout(resolve, 20, false))])));
  return ids;
}

async function expectDoneOnce(ids: readonly string[]): Promise<void> {
  await until("every job is done", async () => {
    const finished = new Set((await done()).map(({ id }) => id));
    return ids.every((id) => finished.has(id));
  });
  expect((await done()).filter(({ runs }) => runs !== 1)).toEqual([]);
}

test("the split is told with its reasons", async () => {
  const { stdout } = await project.ikoma("bundle", "inspect", bundles["v1"] ?? "", "--json");
  const { data } = z
    .object({ data: z.object({ services: z.record(z.string(), z.object({ kind: z.string(), reason: z.string() })) }) })
    .parse(JSON.parse(stdout));
  expect(data.services).toEqual({
    web: { kind: "web", reason: expect.stringContaining("built from this repository") },
    worker: { kind: "worker", reason: expect.stringContaining("built from this repository") },
    cache: { kind: "accessory", reason: expect.stringContaining("image of others") },
    db: { kind: "accessory", reason: expect.stringContaining("image of others") },
  });
});

test("it is deployed as it is: web, worker, queue and database work together", async () => {
  await project.apply("--bundle", bundles["v1"] ?? "");
  expect(await app.versions()).toEqual(["v1"]);
  expect(JSON.parse((await app.get("/")).body)).toEqual({ greeting: "Board of jobs", version: "v1" });
  await expectDoneOnce([await addJob()]);
});

test("in a deploy under load no request fails and each job is done once", async () => {
  const accessories = [await app.container("cache"), await app.container("db")];
  await using load = await app.startLoad();
  const ids = await addingJobs(project.apply("--bundle", bundles["v2"] ?? ""));
  const report = await load.stop();
  expectFlawless(report);
  expect(await app.versions()).toEqual(["v2"]);
  expect(ids.length).toBeGreaterThan(10);
  await expectDoneOnce(ids);
  for (const { name, startedAt } of accessories)
    expect(await app.container(name.split("-").at(-2) ?? "")).toMatchObject({ name, startedAt });
  expect(await app.deployments()).toEqual(["#1 good", "#2 current"]);
  // It ends after the answer to the deploy.
  await until("the old worker is gone", async () => {
    const workers = (await app.containers()).filter(({ name }) => name.endsWith("-worker-1"));
    return workers.length === 1;
  });
  const last = await addJob();
  await expectDoneOnce([last]);
  expect((await done()).find(({ id }) => id === last)?.worker).toBe("v2");
});

test("a rollback brings back web and worker, and keeps what was done", async () => {
  const before = await done();
  const ids = await addingJobs(project.rollBack());
  expect(await app.versions()).toEqual(["v1"]);
  await expectDoneOnce(ids);
  expect(await done()).toEqual(expect.arrayContaining(before));
});
