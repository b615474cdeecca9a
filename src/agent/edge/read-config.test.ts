import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificates } from "../../../test/rigs/certificates.ts";
import { ConfigFiles } from "./config-files.ts";
import type { EdgeApp } from "./edge.ts";
import { haproxyPaths, renderConfig } from "./haproxy-config.ts";
import { readConfig } from "./read-config.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "ikoma-edge-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** What is rendered of these apps, read again. */
async function rendered(apps: EdgeApp[], candidates: EdgeApp[] = []): Promise<EdgeApp[] | undefined> {
  const view = { httpPort: 80, httpsPort: 443, apps };
  await new ConfigFiles(directory).write(renderConfig(view, candidates, { directory, ipv6: true, user: "haproxy" }));
  return readConfig(directory);
}

const shop: EdgeApp = {
  app: "shop",
  domains: ["*.shop.test", "shop.test"],
  routes: [
    { path: "/", service: "web", port: 8080 },
    { path: "/api/v2", service: "my_api.v2", port: 3000 },
  ],
  servers: [
    { name: "d7-my_api.v2-1", service: "my_api.v2", address: "fd00::7", port: 3000, maxConnections: 20 },
    { name: "d7-web-1", service: "web", address: "10.210.0.66", port: 8080, maxConnections: 400 },
    { name: "d7-web-2", service: "web", address: "10.210.0.67", port: 8080, maxConnections: 400 },
  ],
};
const shopFront: EdgeApp = { app: "shop-front", domains: [], routes: [], servers: [] };

test("the apps of the configuration on disk are what was rendered; what is only prepared is not among them", async () => {
  await makeCertificates(directory, "shop", "DNS:shop.test,DNS:*.shop.test");
  const certified = { ...shop, certificatePem: await readFile(join(directory, "shop.pem"), "utf8") };
  const next = [{ ...shop, servers: [{ name: "d8-web-1", service: "web", address: "10.210.0.130", port: 8080 }] }];
  expect(await rendered([shopFront, certified], next)).toEqual([shopFront, certified]);
  expect(await rendered([])).toEqual([]);
});

test("there are none where there is no configuration of the agent's", async () => {
  expect(await readConfig(directory)).toBeUndefined();
  await writeFile(haproxyPaths(directory).config, "global\n  maxconn 100\n");
  expect(await readConfig(directory)).toBeUndefined();
});
