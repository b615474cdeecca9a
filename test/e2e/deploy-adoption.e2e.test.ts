import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { parseDocument } from "yaml";
import { expectFlawless, pushTinyWeb, type ContainerSeen } from "./fixture/index.ts";
import { readFailure } from "./project/command-results.ts";
import { startDeployLab, webWithDatabase } from "./project/index.ts";
import type { AppOnServer, AppProject, DeployLab } from "./project/index.ts";

let lab: DeployLab;
let project: AppProject;
let app: AppOnServer;

beforeAll(async () => {
  lab = await startDeployLab("adoption");
  const v1 = await pushTinyWeb("v1");
  const settings = { health: { path: "/health", timeoutSeconds: 20 } };
  ({ project, app } = await lab.addProject({ name: "store", compose: webWithDatabase, settings }));
  await project.setSecret("POSTGRES_PASSWORD", "pa$$w0rd-for-the-database");
  await project.apply("--bundle", await project.bundle(v1));
}, 300_000);

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

async function standing(): Promise<Pick<ContainerSeen, "id" | "startedAt">[]> {
  const found = [await app.container("web"), await app.container("db")];
  return found.map(({ id, startedAt }) => ({ id, startedAt }));
}

async function volumes(): Promise<string[]> {
  const { stdout } = await lab.host.vps.exec("docker volume ls --quiet --filter name=store_");
  return stdout.split("\n").filter(Boolean);
}

test("an app whose state was lost is adopted by the next deploy: nothing restarts, no request fails", async () => {
  const before = await standing();
  await using load = await app.startLoad();
  await rm(join(project.stateFolder, ".pulumi"), { recursive: true });
  const { apps } = await project.apply();
  expectFlawless(await load.stop([{ version: "v1" }]));
  expect(apps["store"]).toMatchObject({ number: 1, version: "v1" });
  expect(await standing()).toEqual(before);
  expect(await app.deployments()).toEqual(["#1 current"]);
  expect(await project.plan()).toMatchObject({ changes: false });
});

test("an app whose host has lost its ledger, records and key is told of, and adopted by the next deploy", async () => {
  const before = await standing();
  await using load = await app.startLoad();
  await lab.host.agentProcess.restartAfter("cd /var/lib/ikoma && rm -r agent/ledger.db* agent/host.key releases");
  const status = await project.ikoma("status", "--live");
  expect(status.stdout).toMatch(
    /store v1, deployment #1 on vps1.*\n.*note: rebuilt from what runs.*not known any more/,
  );
  const drift = await project.ikoma("drift");
  expect(drift).toMatchObject({ code: 7, stdout: expect.stringContaining("adopts what runs") as unknown });
  const { apps } = await project.apply();
  expectFlawless(await load.stop([{ version: "v1" }]));
  expect(apps["store"]).toMatchObject({ number: 1, version: "v1" });
  expect(await standing()).toEqual(before);
  expect(await app.deployments()).toEqual(["#1 current"]);
  expect((await project.ikoma("status", "--live")).stdout).not.toContain("rebuilt");
  expect(await project.plan()).toMatchObject({ changes: false });
});

test("a dead host is forgotten without being asked; back again, it is adopted as it stands", async () => {
  const before = await standing();
  const settings = await project.stackText();
  await lab.host.vps.cutNetwork();
  const used = readFailure(await project.ikoma("host", "forget", "vps1", "--yes", "--json"));
  expect(used).toMatchObject({
    code: "HOST_IN_USE",
    exitCode: 2,
    message: expect.stringContaining("store") as unknown,
  });
  const forgotten = await project.ikoma("host", "forget", "vps1", "--yes", "--force");
  expect(forgotten).toMatchObject({ code: 0, stdout: expect.stringContaining("vps1 is forgotten") as unknown });
  expect(forgotten.stderr).toMatch(/prod: .*accessories store.*release store.*the entry in Pulumi\.prod\.yaml/);
  expect(await project.resources()).toEqual([expect.stringContaining("pulumi:pulumi:Stack") as unknown]);
  expect(await project.stackText()).not.toContain(lab.host.config.address);
  expect(await project.stackText()).toContain("secure:");

  await lab.host.vps.restoreNetwork();
  await project.write(settings);
  expect((await project.apply()).apps["store"]).toMatchObject({ number: 1 });
  expect(await standing()).toEqual(before);
});

test("an app is taken away only unprotected, its data stays, and only a purge that names it deletes it", async () => {
  const purge = (...more: string[]) => project.ikoma("app", "purge", "store", "--json", ...more);
  const settings = parseDocument(await project.stackText());
  settings.deleteIn(["config", "ikoma:apps", "store"]);
  settings.deleteIn(["config", "ikoma:secrets"]);
  const without = settings.toString();
  expect(readFailure(await purge("--confirm", "store"))).toMatchObject({ code: "APP_IN_USE" });

  await project.configure(["protectAccessories"], false);
  const unprotected = await project.stackText();
  await project.write(without);
  const before = await standing();
  expect(await project.applyBadly()).toMatchObject({
    hint: expect.stringMatching(/protectAccessories: false/) as unknown,
  });
  expect(readFailure(await purge("--confirm", "store"))).toMatchObject({
    code: "APP_IN_USE",
    message: expect.stringMatching(/not removed from vps1 yet: release #1 \(v1\).*its accessories/) as unknown,
  });
  expect(await standing()).toEqual(before);
  await project.write(unprotected);
  await project.apply();
  await project.write(without);
  await project.apply();
  expect(await app.containers()).toEqual([]);
  expect(await volumes()).toEqual(["store_db-data"]);

  expect(readFailure(await purge())).toMatchObject({ code: "USAGE", exitCode: 2 });
  expect(readFailure(await purge("--confirm", "shop"))).toMatchObject({ code: "USAGE", exitCode: 2 });
  expect(await volumes()).toEqual(["store_db-data"]);
  const purged = await project.ikoma("app", "purge", "store", "--confirm", "store");
  expect(purged.stderr).toMatch(/volume store_db-data, \d+(\.\d)? MB, with all data in it/);
  expect(purged).toMatchObject({ code: 0, stdout: expect.stringContaining("store_db-data") as unknown });
  expect(await volumes()).toEqual([]);
  expect(await app.deployments()).toEqual([]);
});
