import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "../core/link/api-client.ts";
import { serveApi } from "./serve.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-serve-"));
});
afterAll(() => rm(folder, { recursive: true }));

const options = { host: "127.0.0.1", port: 0, tls: undefined, version: "0.0.0" };

test("plain HTTP is for this machine alone", async () => {
  const state = join(folder, "refused");
  for (const host of ["0.0.0.0", "192.0.2.7", "::"]) {
    await expect(serveApi({ ...options, host, state })).rejects.toMatchObject({
      code: "CONFIG_INVALID",
      hint: expect.stringContaining("--tls-cert"),
    });
  }
});

test("behind a proxy of its own host it may be plain", async () => {
  const api = await serveApi({ ...options, host: "0.0.0.0", isBehindProxy: true, state: join(folder, "behind") });
  const answer = await fetch(`http://127.0.0.1:${new URL(api.address).port}/v1/health`);
  expect(await answer.json()).toEqual({ status: "ok" });
  await api.close();
});

test("a certificate that cannot be used is told before anything listens", async () => {
  const file = join(folder, "cert.pem");
  await writeFile(file, "no certificate");
  const tls = { certFile: file, keyFile: file };
  await expect(serveApi({ ...options, tls, state: join(folder, "tls") })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
  });
});

test("it listens, and lets nobody else onto its port", async () => {
  const state = join(folder, "served");
  const api = await serveApi({ ...options, state });
  const { port } = new URL(api.address);
  await expect(serveApi({ ...options, port: Number(port), state })).rejects.toMatchObject({ code: "USAGE" });
  const client = new ApiClient({ url: api.address, token: () => "none" });
  await expect(client.json({ method: "GET", path: "/v1/nothing" })).rejects.toMatchObject({ status: 404 });
  await client.close();
  await api.close();
});

test("a store of a newer version is left alone", async () => {
  const state = join(folder, "newer");
  await (await serveApi({ ...options, state })).close();
  const database = new DatabaseSync(join(state, "api.db"));
  database.exec("PRAGMA user_version = 99");
  database.close();
  await expect(serveApi({ ...options, state })).rejects.toMatchObject({ code: "JOURNAL_NEWER" });
});
