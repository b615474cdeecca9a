import { lstat, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { parse } from "yaml";
import * as z from "zod";
import { loadEnvironmentConfig } from "../config/load.ts";
import { appNameOf, newEnvironments, projectFiles } from "./project-files.ts";
import { initProject } from "./project-init.ts";

let folder: string;
const plan = { app: "shop", backendUrl: "file://~" };
const all = ["Pulumi.yaml", "Pulumi.prod.yaml", "Pulumi.preprod.yaml"];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-init-"));
});

afterEach(() => rm(folder, { recursive: true }));

function texts(): Promise<string[]> {
  return Promise.all(all.map((name) => readFile(join(folder, name), "utf8")));
}

test("a new folder becomes a project; again, nothing in it is touched", async () => {
  expect(await initProject(folder, plan)).toEqual({ folder, written: all, kept: [], isLinked: true });
  const before = await texts();
  await writeFile(join(folder, "Pulumi.prod.yaml"), "# mine\n");
  expect(await initProject(folder, { ...plan, app: "other" })).toMatchObject({
    written: [],
    kept: all,
    isLinked: true,
  });
  expect(await texts()).toEqual(before.map((text, index) => (index === 1 ? "# mine\n" : text)));
});

test("a clone gets its link anew, for what is linked is not committed", async () => {
  await initProject(folder, plan);
  expect(await readFile(join(folder, ".ikoma/.gitignore"), "utf8")).toBe("*\n");
  await rm(join(folder, ".ikoma"), { recursive: true });
  await initProject(folder, plan);
  const { main } = z.object({ main: z.string() }).parse(parse(await readFile(join(folder, "Pulumi.yaml"), "utf8")));
  const program = await readFile(join(folder, main), "utf8");
  await expect(lstat(/from "(.*)"/.exec(program)?.[1] ?? "")).resolves.toBeDefined();
  expect(await readdir(join(folder, ".ikoma/node_modules/@pulumi/pulumi"))).toContain("cmd");
});

test("a project with a program of its own is left with it, and a folder of packages where the link would be", async () => {
  await writeFile(join(folder, "Pulumi.yaml"), "name: mine\nruntime: nodejs\nmain: index.ts\n");
  expect(await initProject(folder, plan)).toMatchObject({ kept: ["Pulumi.yaml"], isLinked: false });
  expect(await readdir(folder)).not.toContain(".ikoma");

  await rm(join(folder, "Pulumi.yaml"));
  await mkdir(join(folder, ".ikoma/node_modules/own"), { recursive: true });
  await initProject(folder, plan);
  expect(await readdir(join(folder, ".ikoma/node_modules"))).toEqual(["own"]);
});

test("the environments are valid as they are, once their host is trusted", () => {
  const files = projectFiles(plan);
  for (const { stack, host } of newEnvironments) {
    const { config } = z
      .object({ config: z.record(z.string(), z.unknown()) })
      .parse(parse(files[`Pulumi.${stack}.yaml`] ?? ""));
    const hosts = { [host]: { address: "203.0.113.10", hostKey: "ssh-ed25519 AAAA" } };
    const raw = Object.entries({ ...config, "ikoma:hosts": hosts }).map(
      ([key, value]) => [key, JSON.stringify(value)] as const,
    );
    expect(loadEnvironmentConfig(Object.fromEntries<string>(raw)).apps).toMatchObject({ shop: { host, domains: [] } });
  }
});

test.each([
  ["My Shop", "my-shop"],
  ["2nd_shop", "nd-shop"],
  ["shop-", "shop"],
  ["42", undefined],
])("the folder %s makes the app %s", (name, app) => {
  expect(appNameOf(name)).toBe(app);
});
