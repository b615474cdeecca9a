import { expect, test } from "@jest/globals";
import { bundleManifest } from "../bundle/manifest.ts";
import {
  imagesOf,
  resolveAccessories,
  resolveRelease,
  strategyOf,
  type ReleaseSettings,
  type Seal,
} from "./resolve-release.ts";

const image = (name: string, digit: string): string => `registry.example/${name}@sha256:${digit.repeat(64)}`;
const volume = (source: string): object => ({ type: "volume", source, target: "/data" });

const manifest = bundleManifest.parse({
  apiVersion: "ikoma.dev/v1",
  kind: "Bundle",
  app: "shop",
  version: "v1",
  services: {
    web: {
      kind: "web",
      reason: "",
      definition: {
        image: image("web", "1"),
        environment: { URL: "postgres://app:${PW}@db/${NAME:-shop}", LEVEL: "$LEVEL", PRICE: "5$$" },
        command: ["run", "${LEVEL}"],
        volumes: [volume("uploads")],
      },
    },
    worker: { kind: "worker", reason: "", definition: { image: image("web", "1") } },
    db: {
      kind: "accessory",
      reason: "",
      definition: { image: image("db", "2"), environment: { POSTGRES_PASSWORD: "${PW}" }, volumes: [volume("data")] },
    },
  },
  volumes: { data: {}, uploads: {} },
  routes: [{ path: "/", service: "web", port: 80 }],
  smoke: [{ path: "/smoke" }],
  drainSeconds: 7,
});

/** Shows which text was sealed, and that the value arrives. */
const seal: Seal<{ sealed: string }> = (names, compute) => ({
  sealed: compute(Object.fromEntries(names.map((name) => [name, `<${name}>`]))),
});
const settings: ReleaseSettings = { app: "shop-eu", stack: "prod", env: { LEVEL: "info" }, secretNames: ["PW"] };

test("a release has every variable filled in, and texts with a secret sealed as a whole", () => {
  const release = resolveRelease(manifest, settings, seal);
  expect(release).toMatchObject({
    app: "shop-eu",
    version: "v1",
    routes: [{ service: "web" }],
    volumes: { uploads: { external: false } },
    drainSeconds: 7,
  });
  expect(release.services).toEqual({
    web: {
      kind: "web",
      image: image("web", "1"),
      environment: { URL: { sealed: "postgres://app:<PW>@db/shop" }, LEVEL: "info", PRICE: "5$" },
      command: ["run", "info"],
      volumes: [volume("uploads")],
    },
    worker: { kind: "worker", image: image("web", "1"), environment: {} },
  });
  expect(release.volumes).not.toHaveProperty("data");
});

test("accessories have their own services and volumes, and may be none", () => {
  expect(resolveAccessories(manifest, settings, seal)).toEqual({
    app: "shop-eu",
    services: {
      db: {
        kind: "accessory",
        image: image("db", "2"),
        environment: { POSTGRES_PASSWORD: { sealed: "<PW>" } },
        volumes: [volume("data")],
      },
    },
    volumes: { data: { external: false } },
  });
  const { web } = manifest.services;
  expect(web && resolveAccessories({ ...manifest, services: { web } }, settings, seal)).toBeUndefined();
});

test("what the environment says goes before what the bundle says", () => {
  const health = { path: "/up", status: [200, 200] as [number, number], timeoutSeconds: 5 };
  expect(resolveRelease(manifest, { ...settings, smoke: [], health, drainSeconds: 0 }, seal)).toMatchObject({
    smoke: [],
    health,
    drainSeconds: 0,
  });
  expect(resolveRelease(manifest, settings, seal).smoke).toMatchObject([{ path: "/smoke" }]);
});

test("variables without a value are named together, with the command that sets one", () => {
  const bare = { ...settings, env: {}, secretNames: [] };
  expect(() => resolveRelease(manifest, bare, seal)).toThrow(
    "shop-eu needs LEVEL, PW: no value is set in the stack prod.",
  );
  try {
    resolveAccessories(manifest, bare, seal);
    expect("no error").toBe("an error");
  } catch (error) {
    expect(error).toMatchObject({ code: "CONFIG_MISSING", details: { variables: ["PW"] } });
    expect(error).toHaveProperty("hint", expect.stringContaining("--secret --path 'ikoma:secrets.shop-eu.PW'"));
  }
});

test("of the Bridge's own stack the command names the place that the Bridge has there", () => {
  const bare = { ...settings, app: "bridge", stack: "bridge", env: {} };
  expect(() => resolveRelease(manifest, bare, seal)).toThrow(
    expect.objectContaining({ hint: expect.stringContaining("--path 'ikoma:bridge.env.LEVEL'") as unknown }),
  );
  expect(() => resolveRelease(manifest, { ...bare, stack: "prod" }, seal)).toThrow(
    expect.objectContaining({ hint: expect.stringContaining("--path 'ikoma:apps.bridge.env.LEVEL'") as unknown }),
  );
});

test("an empty value is a value", () => {
  expect(resolveRelease(manifest, { ...settings, env: { LEVEL: "" } }, seal).services["web"]).toMatchObject({
    command: ["run", ""],
  });
});

test("the release's images come from its bundle, those of the accessories from theirs, each once", () => {
  expect(imagesOf(manifest, manifest)).toEqual([image("db", "2"), image("web", "1")]);
  const { web } = manifest.services;
  const withoutDatabase = { ...manifest, services: web === undefined ? {} : { web } };
  expect(imagesOf(manifest, withoutDatabase)).toEqual([image("web", "1")]);
  expect(imagesOf(withoutDatabase, manifest)).toEqual([image("db", "2"), image("web", "1")]);
});

test("the strategy is the bundle's unless the environment has another, and the usual one is none", () => {
  const replacing = { ...manifest, strategy: "replace" as const };
  expect(strategyOf(manifest, settings)).toBeUndefined();
  expect(strategyOf(replacing, settings)).toBe("replace");
  expect(strategyOf(replacing, { ...settings, strategy: "switch" })).toBeUndefined();
  expect(strategyOf(manifest, { ...settings, strategy: "replace" })).toBe("replace");
});

test("a worker of which two must never run at once is told so to the host", () => {
  const queue = {
    kind: "worker" as const,
    reason: "",
    overlap: false as const,
    definition: { image: image("web", "1") },
  };
  const release = resolveRelease({ ...manifest, services: { queue } }, settings, seal);
  expect(release.services).toEqual({
    queue: { kind: "worker", overlap: false, image: image("web", "1"), environment: {} },
  });
});
