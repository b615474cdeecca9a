import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serviceSpec } from "../../core/release/release-spec.ts";
import type { ServiceSpec } from "../../core/release/release-spec.ts";
import { Vault } from "../ledger/vault.ts";
import type { Container } from "./containers.ts";
import { MountedFiles } from "./mounted-files.ts";

const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
let folder = "";
let files: MountedFiles;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-files-"));
  files = new MountedFiles(join(folder, "files"), new Vault(Buffer.alloc(32, 1)));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

function service(contents: Readonly<Record<string, string>>, mode = "0440"): ServiceSpec {
  const entries = Object.entries(contents).map(([path, content]) => [path, { content, mode, uid, gid }]);
  return serviceSpec.parse({
    kind: "web",
    image: `web@sha256:${"1".repeat(64)}`,
    files: Object.fromEntries(entries) as unknown,
  });
}

/** As the engine describes a container that was made with these mounts. */
function containerOf(wanted: ServiceSpec): Container {
  const mounts = files.mountsOf("shop-1", wanted);
  return {
    Id: "1",
    Created: "",
    Name: "/shop-1-web-1",
    Image: "",
    RestartCount: 0,
    State: { Status: "running", Running: true, Restarting: false, OOMKilled: false, ExitCode: 0, Error: "", Pid: 1 },
    Config: { Image: wanted.image, Env: [], User: "", Labels: {} },
    HostConfig: { Memory: 0, Privileged: false, RestartPolicy: { Name: "unless-stopped" } },
    Mounts: mounts.map(({ source, target }) => ({
      Type: "bind",
      Name: "",
      Source: source,
      Destination: target,
      RW: false,
    })),
    NetworkSettings: { Networks: {} },
  };
}

function sourceOf(wanted: ServiceSpec): string {
  return files.mountsOf("shop-1", wanted)[0]?.source ?? "";
}

test("are written as asked for, in folders that nobody else enters", async () => {
  const web = service({ "/run/secrets/token": "p$w\n" });
  await files.provide("shop-1", { web });
  expect(await readFile(sourceOf(web), "utf8")).toBe("p$w\n");
  expect((await stat(sourceOf(web))).mode & 0o777).toBe(0o440);
  for (const path of [join(folder, "files"), join(folder, "files/shop-1")])
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect(await files.drift("shop-1", web, containerOf(web))).toEqual([]);
});

test("one that was altered is told, and put right in the very file that the container has", async () => {
  const web = service({ "/run/secrets/token": "right" }, "0600");
  await files.provide("shop-1", { web });
  const { ino } = await stat(sourceOf(web));
  await writeFile(sourceOf(web), "wrong");
  const path = 'files["/run/secrets/token"]';
  const altered = [{ path, message: "/run/secrets/token was altered or removed on the host" }];
  expect(await files.drift("shop-1", web, containerOf(web))).toEqual(altered);
  await files.provide("shop-1", { web });
  expect(await readFile(sourceOf(web), "utf8")).toBe("right");
  expect((await stat(sourceOf(web))).ino).toBe(ino);

  await rm(sourceOf(web));
  expect(await files.drift("shop-1", web, containerOf(web))).toEqual(altered);
  await files.provide("shop-1", { web });
  expect(await files.drift("shop-1", web, containerOf(web))).toEqual([]);
});

test("a container that has the content of before is told", async () => {
  const [before, after] = [service({ "/etc/app.conf": "a" }), service({ "/etc/app.conf": "b" })];
  await files.provide("shop-1", { before });
  await files.provide("shop-1", { after });
  expect(await files.drift("shop-1", after, containerOf(before))).toEqual([
    { path: 'files["/etc/app.conf"]', message: "/etc/app.conf has another content" },
  ]);
});

test("those that no service has any more are removed, and with the project all", async () => {
  const [before, after] = [service({ "/a": "1", "/b": "2" }), service({ "/b": "2" })];
  await files.provide("shop-1", { before });
  await files.keepOnly("shop-1", { after });
  expect((await readdir(join(folder, "files/shop-1"))).length).toBe(1);
  expect(await files.drift("shop-1", after, containerOf(after))).toEqual([]);
  await files.remove("shop-1");
  expect(await readdir(join(folder, "files"))).toEqual([]);
  await files.remove("shop-1");
  await files.keepOnly("shop-1", {});
});
