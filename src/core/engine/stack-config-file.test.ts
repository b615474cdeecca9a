import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { readHostReach, withConfigOverride } from "./stack-config-file.ts";

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-stack-config-"));
  await writeFile(join(folder, "Pulumi.prod.yaml"), "config:\n  a: { b: 1 }\n");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function override<T>(use: (configFile: string) => Promise<T>): Promise<T> {
  return withConfigOverride(join(folder, "Pulumi.prod.yaml"), [{ path: ["a", "b"], value: 2 }], use);
}

test("the copy has the other setting, and is gone afterwards, whatever happens", async () => {
  const copies: string[] = [];
  const read = (file: string): Promise<string> => {
    copies.push(dirname(file));
    return readFile(file, "utf8");
  };
  expect(await override(read)).toBe("config:\n  a: { b: 2 }\n");
  const failing = override(async (file) => {
    await read(file);
    throw new Error("no");
  });
  await expect(failing).rejects.toThrow("no");
  expect(copies.map(existsSync)).toEqual([false, false]);
});

test("a setting that `pulumi config set` wrote as a text is read, and the ways to hosts beside it", async () => {
  const file = join(folder, "Pulumi.prod.yaml");
  const hosts = 'ikoma:hosts: { vps1: { address: 10.0.0.1, hostKey: "ssh-ed25519 AAAA" } }';
  await writeFile(file, `config:\n  ikoma:offline: "true"\n  ${hosts}\n`);
  expect(await readHostReach(file)).toMatchObject({ offline: true, hosts: { vps1: { address: "10.0.0.1" } } });
});

test("a copy that a killed command left goes with the next one, that of a living command stays", async () => {
  const { pid } = spawnSync("true");
  const left = join(tmpdir(), `ikoma-config-${pid}-left`);
  const used = join(tmpdir(), `ikoma-config-${process.ppid}-used`);
  try {
    for (const each of [left, used]) await mkdir(each);
    await override(() => Promise.resolve());
    expect([left, used].map(existsSync)).toEqual([false, true]);
  } finally {
    for (const each of [left, used]) await rm(each, { recursive: true, force: true });
  }
});
