import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { TestHost } from "../../test/doubles/host/host.ts";
import { aRelease } from "../../test/doubles/host/inputs.ts";
import { edgeView, hostNameOf } from "./edge-from-ledger.ts";

let on: TestHost;

beforeEach(async () => {
  on = await TestHost.create();
});

afterEach(async () => {
  await on.dispose();
});

function site(app: string, ...domains: string[]): void {
  on.host.parts.set(app, "site", { app, domains });
}

/** As the ledger is after a deploy. */
function serving(app: string): void {
  const { number } = on.host.deployments.begin(aRelease(on, "v1", { app }), "digest", "anna");
  const servers = [{ name: `d${number}-web-1`, service: "web", address: "127.1.1.2", port: 8080 }];
  on.host.deployments.place(app, number, "127.1.1.0/26", servers);
  on.host.deployments.makeCurrent(app, number);
}

const apps = () => edgeView(on.host).apps.map((each) => each.app);

describe("the edge's view", () => {
  test("has an app with its site, and the routes and servers of what serves", () => {
    site("shop", "shop.example");
    serving("shop");
    on.host.deployments.begin(aRelease(on, "v2"), "digest", "anna");
    expect(edgeView(on.host).apps).toEqual([
      {
        app: "shop",
        domains: ["shop.example"],
        routes: [{ path: "/", service: "web", port: 8080 }],
        servers: [{ name: "d1-web-1", service: "web", address: "127.1.1.2", port: 8080 }],
      },
    ]);
  });

  test("has no app that merely has images here, or served once", () => {
    on.host.parts.set("blog", "bundle", {});
    serving("shop");
    on.host.deployments.retireCurrent("shop");
    expect(on.host.parts.apps()).toEqual(["blog", "shop"]);
    expect(apps()).toEqual([]);
  });

  test("has the backends of every release that is being prepared, and of the one that asks", () => {
    site("shop", "shop.example");
    on.host.prepared.set("shop", aRelease(on, "v1").spec);
    const coming = aRelease(on, "b1", { app: "blog", routes: [{ service: "web", port: 8080 }] }).spec;
    const backends = edgeView(on.host, coming).apps.map((each) => [
      each.app,
      each.backends?.length,
      each.servers.length,
    ]);
    expect(backends).toEqual([
      ["shop", 1, 0],
      ["blog", 1, 0],
    ]);
  });

  test("lets a release without a site give way to an app that was told to serve every host name", () => {
    serving("shop");
    expect(apps()).toEqual(["shop"]);
    site("blog");
    expect(apps()).toEqual(["blog"]);
    site("shop", "shop.example");
    expect(apps()).toEqual(["blog", "shop"]);
  });
});

test("the agent's own requests use a host name that leads to the app", () => {
  expect(hostNameOf(on.host, "shop")).toBe("localhost");
  site("shop", "*.shop.example", "shop.example");
  expect(hostNameOf(on.host, "shop")).toBe("ikoma-probe.shop.example");
});
