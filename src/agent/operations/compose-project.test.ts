import { describe, expect, test } from "@jest/globals";
import fc from "fast-check";
import { accessoriesSpec, releaseSpec } from "../../core/release/release-spec.ts";
import type { ReleaseSpec } from "../../core/release/release-spec.ts";
import { MountedFiles } from "../engine/mounted-files.ts";
import { Vault } from "../ledger/vault.ts";
import {
  accessoryAddress,
  deploymentOfServer,
  edgeServersOf,
  place,
  renderAccessories,
  renderRelease,
} from "./compose-project.ts";

const image = `registry.example/web@sha256:${"1".repeat(64)}`;
const subnet = "10.9.0.0/26";
const files = new MountedFiles("/var/lib/ikoma/files", new Vault(Buffer.alloc(32)));

function spec(services: Record<string, object>, more: object = {}): ReleaseSpec {
  const full = Object.fromEntries(
    Object.entries(services).map(([name, fields]) => [name, { kind: "web", image, ...fields }]),
  );
  return releaseSpec.parse({ app: "shop", version: "v1", bundle: `sha256:${"a".repeat(64)}`, services: full, ...more });
}

function render(release: ReleaseSpec) {
  return renderRelease(release, 7, place(release.services, subnet), files);
}

test("files become read-only mounts beside the others, another content at another place", () => {
  const data = { type: "volume", source: "data", target: "/data" };
  const withToken = (content: string) =>
    render(spec({ web: { volumes: [data], files: { "/run/secrets/token": { content, mode: "0444" } } } }));
  const one = withToken("one").services["web"];
  expect(one).not.toHaveProperty("files");
  expect(one?.["volumes"]).toEqual([
    data,
    {
      type: "bind",
      source: expect.stringMatching(/^\/var\/lib\/ikoma\/files\/shop-7\/[0-9a-f]{32}$/),
      target: "/run/secrets/token",
      read_only: true,
      bind: { create_host_path: false },
    },
  ]);
  expect(withToken("two").services["web"]?.["volumes"]).not.toEqual(one?.["volumes"]);
});

describe("placements", () => {
  test("are one for each replica, in an order that does not depend on the file's; jobs have none", () => {
    const a = spec({ web: { deploy: { replicas: 2 } }, api: {}, migrate: { kind: "job" } });
    const b = spec({ migrate: { kind: "job" }, api: {}, web: { scale: 2 } });
    expect(place(a.services, subnet)).toEqual(place(b.services, subnet));
    expect(place(a.services, subnet).map(({ key, address }) => `${key} ${address}`)).toEqual([
      "api 10.9.0.2",
      "web 10.9.0.3",
      "web-2 10.9.0.4",
    ]);
  });

  test("keep the addresses that are held already, whatever comes before them", () => {
    const held = new Map([["db", "10.9.0.2"]]);
    const placements = place(spec({ cache: {}, db: {}, search: {} }).services, subnet, held);
    expect(placements.map(({ key, address }) => `${key} ${address}`)).toEqual([
      "cache 10.9.0.3",
      "db 10.9.0.2",
      "search 10.9.0.4",
    ]);
  });

  test("can be none", () => {
    expect(place(spec({ web: { scale: 0 } }).services, subnet)).toEqual([]);
  });

  test("that do not fit are refused", () => {
    expect(() => place(spec({ web: { scale: 70 } }).services, subnet)).toThrow(
      expect.objectContaining({ code: "NETWORKS_EXHAUSTED" }),
    );
  });

  test("never share a name or an address, whatever the services are called", () => {
    const name = fc.constantFrom("web", "web-2", "web-3", "web-2_", "web-2-2", "api");
    const services = fc.dictionary(name, fc.record({ scale: fc.integer({ min: 0, max: 4 }) }));
    fc.assert(
      fc.property(services, (given) => {
        const release = spec(given);
        const placements = place(release.services, subnet);
        const wanted = Object.values(given).reduce((sum, each) => sum + each.scale, 0);
        expect(new Set(placements.map((each) => each.key)).size).toBe(wanted);
        expect(new Set(placements.map((each) => each.address)).size).toBe(wanted);
        expect(Object.keys(render(release).services)).toHaveLength(wanted);
      }),
    );
  });

  test("leave the end of the network to the accessories", () => {
    expect([0, 1].map((index) => accessoryAddress(subnet, index))).toEqual(["10.9.0.61", "10.9.0.60"]);
  });
});

describe("a rendered release", () => {
  test("has a project, a network and labels of its own", () => {
    const { name, networks, services } = render(spec({ web: {} }));
    expect(name).toBe("shop-7");
    expect(networks).toEqual({ default: { name: "shop-7", external: true } });
    expect(services["web"]).toEqual({
      image,
      environment: {},
      labels: {
        "dev.ikoma.app": "shop",
        "dev.ikoma.part": "release",
        "dev.ikoma.deployment": "7",
        "dev.ikoma.service": "web",
      },
      networks: { default: { ipv4_address: "10.9.0.2", aliases: ["web"] } },
      restart: "unless-stopped",
      depends_on: undefined,
    });
  });

  test("keeps the user's labels, as a list or a map, but for the agent's own", () => {
    const list = ["traefik.rule=Host(`a=b`)", "bare", "dev.ikoma.app=other"];
    expect(render(spec({ web: { labels: list } })).services["web"]?.["labels"]).toMatchObject({
      "traefik.rule": "Host(`a=b`)",
      bare: "",
      "dev.ikoma.app": "shop",
    });
    expect(render(spec({ web: { labels: { tier: 1 } } })).services["web"]?.["labels"]).toMatchObject({ tier: "1" });
  });

  test("says each replica once: compose must not multiply it again", () => {
    const { services } = render(
      spec({ web: { scale: 3, deploy: { replicas: 2, resources: { limits: { memory: "64M" } } } } }),
    );
    expect(Object.keys(services)).toEqual(["web", "web-2", "web-3"]);
    for (const service of Object.values(services)) {
      expect(service).not.toHaveProperty("scale");
      expect(service["deploy"]).toEqual({ resources: { limits: { memory: "64M" } } });
      expect(service["networks"]).toMatchObject({ default: { aliases: ["web"] } });
    }
  });

  test("uses volumes that are made beforehand, under names that outlive the release", () => {
    const { volumes } = render(
      spec({ web: {} }, { volumes: { data: {}, shared: { external: true }, old: { name: "legacy", external: true } } }),
    );
    expect(volumes).toEqual({
      data: { name: "shop_data", external: true },
      shared: { name: "shared", external: true },
      old: { name: "legacy", external: true },
    });
  });

  test("has no order of start; accessories keep theirs", () => {
    const services = { web: { depends_on: ["db"] }, db: {} };
    expect(render(spec(services)).services["web"]?.["depends_on"]).toBeUndefined();
    const accessories = accessoriesSpec.parse({
      app: "shop",
      services: { pool: { kind: "accessory", image, depends_on: ["db"] } },
    });
    const rendered = renderAccessories(accessories, place(accessories.services, subnet), files);
    expect(rendered.services["pool"]).toMatchObject({
      depends_on: ["db"],
      labels: { "dev.ikoma.part": "accessories" },
    });
    expect(rendered.services["pool"]).not.toHaveProperty(["labels", "dev.ikoma.deployment"]);
    expect(rendered.name).toBe("shop-accessories");
  });
});

describe("servers of the edge", () => {
  test("are one for each container and port that a route names", () => {
    const release = spec(
      { web: { scale: 2 }, api: {}, hidden: {} },
      {
        routes: [
          { service: "web", port: 80 },
          { path: "/a", service: "api", port: 81 },
          { path: "/b", service: "api", port: 82 },
          { path: "/c", service: "api", port: 81 },
        ],
      },
    );
    const servers = edgeServersOf(release, 42, place(release.services, subnet));
    expect(servers.map((each) => `${each.name} ${each.port}`)).toEqual([
      "d42-api-1 81",
      "d42-api-1 82",
      "d42-web-1 80",
      "d42-web-2 80",
    ]);
    expect(servers.map((each) => deploymentOfServer(each.name))).toEqual([42, 42, 42, 42]);
  });

  test("have the limit of their route", () => {
    const routes = [{ path: "/", service: "web", port: 80, maxConnections: 5000 }];
    const release = spec({ web: { deploy: { replicas: 2 } } }, { routes });
    const servers = edgeServersOf(release, 42, place(release.services, subnet));
    expect(servers.map((each) => each.maxConnections)).toEqual([5000, 5000]);
  });

  test.each(["web", "d-1", "x42-web-1"])("%s is none of a deployment", (name) => {
    expect(deploymentOfServer(name)).toBeUndefined();
  });
});
