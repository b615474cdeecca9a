import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { readStackExports } from "./deploy-exports.ts";
import { readLocks } from "../project/deploy-locks.ts";
import { readExportedApps } from "./deploy-outputs.ts";
import { backendFolder } from "../engine/backend.ts";
import { findDeployProject } from "../project/deploy-project.ts";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-project-"));
  await writeFile(join(folder, "Pulumi.yaml"), "name: shop-infra\nruntime: nodejs\nbackend:\n  url: file://./state\n");
  for (const stack of ["prod", "hosts"]) await writeFile(join(folder, `Pulumi.${stack}.yaml`), "config: {}\n");
  await mkdir(join(folder, "state", ".pulumi", "stacks", "shop-infra"), { recursive: true });
  await writeFile(join(folder, "state", ".pulumi", "stacks", "shop-infra", "prod.json"), JSON.stringify(checkpoint));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

const secretMark = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:xyz" };
const checkpoint = {
  version: 3,
  checkpoint: {
    stack: "organization/shop-infra/prod",
    latest: {
      manifest: { time: "2026-11-23T05:00:00.5Z", magic: "m", version: "v3.259.0" },
      resources: [
        { urn: "urn:a", custom: false, type: "ikoma:index:App", outputs: { apps: "not these" } },
        {
          urn: "urn:s",
          custom: false,
          type: "pulumi:pulumi:Stack",
          outputs: { apps: { shop: { number: 4, version: "1.4.0", token: secretMark } }, list: [secretMark] },
        },
      ],
      pending_operations: [{ resource: {}, type: "creating" }],
    },
  },
};
const env = { PULUMI_HOME: "/nowhere" };

test("exports come from the checkpoint file, with its time and what was left open, and secrets masked", async () => {
  const project = await findDeployProject(folder, "prod", env);
  const exports = await readStackExports(project);
  expect(exports).toEqual({
    outputs: { apps: { shop: { number: 4, version: "1.4.0", token: "[secret]" } }, list: ["[secret]"] },
    writtenAtMs: Date.UTC(2026, 10, 23, 5, 0, 0, 500),
    pendingOperations: ["creating"],
  });
  expect(readExportedApps(exports.outputs).shop).toMatchObject({ number: 4, version: "1.4.0" });
});

test("exports of another shape are left out", () => {
  expect(readExportedApps({ apps: { shop: "[unknown]", blog: { number: 1, version: "1" } } })).toEqual({
    blog: { number: 1, version: "1", services: {} },
  });
  expect(readExportedApps({})).toEqual({});
});

test("without a stack the only environment is meant, never the hosts or the Bridge", async () => {
  await writeFile(join(folder, "Pulumi.bridge.yaml"), "config: {}\n");
  expect((await findDeployProject(folder, undefined, env)).stackName).toBe("prod");
});

test("a stack that has no file is named, with the nearest that has one", async () => {
  await expect(findDeployProject(folder, "prd", env)).rejects.toMatchObject({
    code: "STACK_NOT_FOUND",
    exitCode: 6,
    hint: "Did you mean --stack prod?",
  });
});

test("a folder without Pulumi.yaml is refused", async () => {
  await expect(findDeployProject(tmpdir(), undefined, env)).rejects.toMatchObject({ code: "CONFIG_MISSING" });
});

test("PULUMI_BACKEND_URL goes before the project's backend", async () => {
  const { backendUrl } = await findDeployProject(folder, "prod", { ...env, PULUMI_BACKEND_URL: "s3://bucket" });
  expect(backendUrl).toBe("s3://bucket");
  expect(backendFolder({ backendUrl, folder })).toBeUndefined();
});

test("locks are told with whether their owner still lives", async () => {
  const project = await findDeployProject(folder, "prod", env);
  expect(await readLocks(project)).toEqual([]);
  const place = join(folder, "state", ".pulumi", "locks", "organization", "shop-infra", "prod");
  await mkdir(place, { recursive: true });
  const lock = { pid: process.pid, username: "ana", hostname: hostname(), timestamp: "2026-11-23T05:00:00Z" };
  await writeFile(join(place, "1.json"), JSON.stringify(lock));
  // Larger than any process number that Linux gives.
  await writeFile(join(place, "2.json"), JSON.stringify({ ...lock, pid: 2 ** 22 + 1 }));
  await writeFile(join(place, "3.json"), JSON.stringify({ ...lock, pid: 2 ** 22 + 1, hostname: "elsewhere" }));
  await writeFile(join(place, "3.json.attrs"), JSON.stringify({ "user.content_type": "text/plain" }));
  expect((await readLocks(project))?.map(({ isAbandoned }) => isAbandoned)).toEqual([false, true, false]);
});
