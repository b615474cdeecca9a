import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { aRelease, run } from "../../../test/doubles/host/inputs.ts";
import { IkomaError } from "../../core/errors.ts";
import { siteSpec } from "../../core/release/release-spec.ts";
import { readPart } from "../reading/read-parts.ts";
import { OperationRunner } from "./operation-runner.ts";

let on: TestHost;
let runner: OperationRunner;

beforeEach(async () => {
  on = await TestHost.create();
  runner = new OperationRunner(on.host);
});

afterEach(async () => {
  await on.dispose();
});

function apply(app: string, ...domains: string[]) {
  return run(runner, "site.apply", { app, domains });
}

function domainsInLedger(app: string): string[] | undefined {
  return on.host.parts.get(app, "site", siteSpec)?.domains;
}

function appsOnEdge(): string[] {
  return on.edge.onDisk?.apps.map((each) => each.app) ?? [];
}

test("a site is served, changed and taken away", async () => {
  await apply("shop", "shop.example");
  expect(on.edge.onDisk?.apps).toMatchObject([{ app: "shop", domains: ["shop.example"] }]);
  await apply("shop", "new.example");
  expect(await readPart(on.host, "shop", "site", { app: "shop", domains: ["new.example"] })).toMatchObject({
    exists: true,
    generation: 2,
    drift: [],
  });
  expect((await readPart(on.host, "shop", "site", { app: "shop", domains: ["shop.example"] })).drift).toMatchObject([
    { path: "domains" },
  ]);
  await run(runner, "site.remove", { app: "shop" });
  expect(appsOnEdge()).toEqual([]);
});

test("a host name that is said twice is no drift", async () => {
  const domains = ["shop.example", "shop.example"];
  expect(await apply("shop", ...domains)).toMatchObject({ state: "succeeded" });
  expect((await readPart(on.host, "shop", "site", { app: "shop", domains })).drift).toEqual([]);
});

test("a host name that another app has is refused, and the ledger stays fit to be served", async () => {
  await apply("shop", "shop.example");
  await apply("blog", "blog.example");
  expect(await apply("blog", "shop.example")).toMatchObject({ state: "failed", error: { code: "CONFIG_INVALID" } });
  expect(domainsInLedger("blog")).toEqual(["blog.example"]);
  expect(await apply("docs", "docs.example")).toMatchObject({ state: "succeeded" });
});

test("a bad certificate is refused with no trace of it", async () => {
  const pem = "-----BEGIN PRIVATE KEY-----\nnot-a-key-not-a-key\n-----END PRIVATE KEY-----";
  const ended = await run(runner, "site.apply", { app: "shop", domains: ["shop.example"], certificatePem: pem });
  expect(ended).toMatchObject({ state: "failed", error: { code: "CONFIG_INVALID" } });
  expect(domainsInLedger("shop")).toBeUndefined();
  expect(JSON.stringify(ended)).not.toContain("not-a-key");
});

test("what HAProxy itself refuses is taken back", async () => {
  await apply("shop", "shop.example");
  on.edge.failures.set("ensure", new IkomaError("EDGE_FAILED", "HAProxy refused the configuration"));
  expect(await apply("shop", "other.example")).toMatchObject({ state: "failed" });
  expect(domainsInLedger("shop")).toEqual(["shop.example"]);
});

test("an app that serves every host name does not lose them to another one", async () => {
  await run(runner, "release.apply", aRelease(on, "v1"));
  const refused = await apply("blog");
  expect(refused).toMatchObject({ state: "failed", error: { code: "CONFIG_INVALID" } });
  expect(refused.error?.message).toContain("shop and blog");
  expect(appsOnEdge()).toEqual(["shop"]);
});

test("the site of an app that still serves can be removed although another one serves every host name", async () => {
  await apply("shop", "shop.example");
  await run(runner, "release.apply", aRelease(on, "v1"));
  await apply("blog");
  expect(await run(runner, "site.remove", { app: "shop" })).toMatchObject({ state: "succeeded" });
  expect(appsOnEdge()).toEqual(["blog"]);
  expect(await run(runner, "release.remove", { app: "shop" })).toMatchObject({ state: "succeeded" });
});
