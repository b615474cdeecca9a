import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { aRequest, digestOf, imageOf, run } from "../../../test/doubles/host/inputs.ts";
import { waitUntil } from "../../../test/lab/wait-until.ts";
import { OperationRunner } from "../operations/operation-runner.ts";
import { registryOf } from "./images.ts";

let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
});

afterEach(async () => {
  await on.dispose();
});

const web = imageOf("web");

function logIn(auths: object | string): void {
  mkdirSync(dirname(on.host.paths.dockerConfig), { recursive: true });
  writeFileSync(
    on.host.paths.dockerConfig,
    typeof auths === "string" ? auths : JSON.stringify({ auths, credHelpers: {} }),
  );
}

/** As the engine does it: URL-safe base64 with its padding, or it is no log-in at all. */
function readByEngine(header: string | undefined): unknown {
  if (header === undefined || header.length % 4 !== 0 || !/^[\w-]+={0,2}$/.test(header)) return undefined;
  return z.record(z.string(), z.string()).parse(JSON.parse(Buffer.from(header, "base64url").toString("utf8")));
}

describe("a pull", () => {
  test("brings the image, without a log-in where there is none", async () => {
    on.engine.pullable.set(web, {});
    await on.host.images.pull(web);
    expect((await on.host.images.inspect(web))?.Architecture).toBe("amd64");
    expect(on.engine.lastRegistryAuth).toBeUndefined();
  });

  test("carries the log-in of its registry in a form that the engine reads, whatever name and password", async () => {
    on.engine.pullable.set(web, {});
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[a-z]{1,9}$/),
        fc.string({ unit: "grapheme", minLength: 1, maxLength: 9 }),
        async (username, password) => {
          logIn({
            "registry.example": { auth: Buffer.from(`${username}:${password}`).toString("base64") },
            "other.example": { auth: "eDp5" },
          });
          await on.host.images.pull(web);
          const expected = {
            username,
            password: Buffer.from(password).toString("utf8"),
            serveraddress: "registry.example",
          };
          expect(readByEngine(on.engine.lastRegistryAuth)).toEqual(expected);
        },
      ),
      { numRuns: 30 },
    );
  });

  test("tells why it failed, also where the engine says so in the middle of its progress", async () => {
    await expect(on.host.images.pull(web)).rejects.toMatchObject({
      code: "IMAGE_PULL_FAILED",
      message: expect.stringContaining("manifest unknown"),
    });
    on.engine.refusals.set("/images/create", { status: 500, message: "Get https://registry.example/v2/: EOF" });
    await expect(on.host.images.pull(web)).rejects.toMatchObject({
      code: "IMAGE_PULL_FAILED",
      message: expect.stringContaining("EOF"),
    });
  });

  test("does not quote a log-in file that cannot be read", async () => {
    logIn('{"auths": {"registry.example": {"auth": "aHVudGVyMjI6aHVudGVyMjI"');
    const failed = on.host.images.pull(web);
    await expect(failed).rejects.toMatchObject({ code: "REGISTRY_AUTH" });
    await expect(failed).rejects.not.toThrow("aHVu");
  });
});

test.each([
  ["registry.example/web@sha256:0", "registry.example"],
  ["127.0.0.1:5000/a/b@sha256:0", "127.0.0.1:5000"],
  ["localhost/web@sha256:0", "localhost"],
  ["library/postgres@sha256:0", "https://index.docker.io/v1/"],
  ["postgres@sha256:0", "https://index.docker.io/v1/"],
])("the registry of %s is %s", (reference, registry) => {
  expect(registryOf(reference)).toBe(registry);
});

test("removing an image that is in use, or not there, changes nothing", async () => {
  on.engine.images.set(web, {});
  const { Id } = await on.engine.createContainer({ name: "web", image: web });
  await on.host.images.remove(web);
  expect(on.engine.images.has(web)).toBe(true);
  await on.host.containers.stopAndRemove(Id);
  await on.host.images.remove(web);
  await on.host.images.remove(web);
  expect(on.engine.images.has(web)).toBe(false);
});

describe("staging a bundle", () => {
  const stage = (...images: string[]) =>
    run(new OperationRunner(on.host), "bundle.stage", { app: "shop", bundle: digestOf("a"), images });

  test("pulls what is missing, and remembers only that as the agent's own", async () => {
    on.engine.images.set(imageOf("there"), {});
    on.engine.pullable.set(web, {});
    const ended = await stage(web, imageOf("there"));
    expect(ended).toMatchObject({
      state: "succeeded",
      result: { images: [{ reference: web, pulled: true }, { pulled: false }] },
    });
    expect(on.host.imageUse.of("shop")).toEqual([web]);
  });

  test("refuses an image for another platform", async () => {
    on.engine.pullable.set(web, { architecture: "arm64" });
    const ended = await stage(web);
    expect(ended.error).toMatchObject({ code: "IMAGE_PLATFORM" });
    expect(ended.error?.message).toContain("linux/arm64, this host is linux/amd64");
  });

  test("ends when it is cancelled, and does not wait for what it pulls", async () => {
    on.engine.silent.add("/images/create");
    const runner = new OperationRunner(on.host);
    const request = aRequest("bundle.stage", { app: "shop", bundle: digestOf("a"), images: [web] });
    runner.start(request);
    await waitUntil("it pulls", () => on.engine.calls.some((each) => each.startsWith("POST /images/create")));
    runner.cancel(request.key);
    expect(await runner.attach(request.key, 0, () => undefined)).toMatchObject({ state: "cancelled" });
  });

  test("pulls nothing onto a host whose disk is full", async () => {
    on.engine.pullable.set(web, {});
    // The kernel's own file system, on which nothing is ever free.
    on.host.paths.root = "/proc";
    const ended = await stage(web);
    expect(ended.error).toMatchObject({ code: "DISK_FULL", message: expect.stringContaining("0 MiB free") });
    expect(on.engine.calls.some((each) => each.startsWith("POST /images/create"))).toBe(false);
  });
});
