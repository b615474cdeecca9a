import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { bundleManifest } from "../bundle/manifest.ts";
import { migrationCommandSpec } from "../migrations/migration-command.ts";
import { migrationSpec } from "../migrations/migration-spec.ts";
import { keptSecretMarker } from "./kept-secrets.ts";
import {
  accessoriesDifferences,
  commandDifferences,
  migrationDifferences,
  releaseDifferences,
  type GivenValues,
} from "./match-bundle.ts";
import { accessoriesSpec, releaseSpec, type AccessoriesSpec, type ReleaseSpec } from "./release-spec.ts";
import { resolveAccessories, resolveRelease } from "./resolve-release.ts";

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
        command: ["run", "${LEVEL}", "${DEBUG:+--debug}"],
        entrypoint: null,
        files: { "/run/secrets/key": { content: "key=${PW}", mode: "0400" } },
        volumes: [volume("uploads")],
        deploy: { replicas: 2 },
      },
    },
    migrate: { kind: "job", reason: "", hook: { run: "pre" }, definition: { image: image("web", "1") } },
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
const bundle = `sha256:${"b".repeat(64)}`;
const given: GivenValues = { env: { LEVEL: "info" }, secrets: { PW: "pa$$word" } };

const settingsOf = ({ env, secrets }: GivenValues) => {
  return { app: "shop", stack: "prod", env, secretNames: Object.keys(secrets) };
};

/** What the program makes of the bundle with these values. */
function release(values: GivenValues): ReleaseSpec {
  const resolved = resolveRelease(manifest, settingsOf(values), (_names, compute) => compute(values.secrets));
  return releaseSpec.parse({ ...resolved, bundle });
}

function accessories(values: GivenValues): AccessoriesSpec {
  return accessoriesSpec.parse(
    resolveAccessories(manifest, settingsOf(values), (_names, compute) => compute(values.secrets)),
  );
}

const text = fc.string({ unit: fc.constantFrom("a", "$", "{", "}", ":", "-", "'", "\n", "é", "\\") });

test("whatever values an environment gives, what the program makes of a bundle is that bundle", () => {
  fc.assert(
    fc.property(text, text, fc.option(text), (level, password, debug) => {
      const env = { LEVEL: level, ...(debug !== null && { DEBUG: debug }) };
      const values = { env, secrets: { PW: password } };
      expect(releaseDifferences(manifest, release(values), values)).toEqual([]);
      expect(accessoriesDifferences(manifest, accessories(values), values)).toEqual([]);
    }),
  );
});

test("what an environment may say itself is no difference: name, health, smoke checks, draining", () => {
  const own = {
    app: "shop-of-anna",
    smoke: [],
    drainSeconds: 1,
    health: { path: "/up", status: [200, 299] as [number, number], timeoutSeconds: 5 },
  };
  expect(releaseDifferences(manifest, { ...release(given), ...own }, given)).toEqual([]);
});

type Change = (spec: ReleaseSpec) => object;
const web =
  (fields: object): Change =>
  ({ services }) => ({ services: { ...services, web: { ...services["web"], ...fields } } });

test.each<[string, Change]>([
  ["services.web.image", web({ image: image("web", "9") })],
  ["services.web.privileged", web({ privileged: true })],
  ["services.web.cap_add", web({ cap_add: ["SYS_ADMIN"] })],
  ["services.web.command", web({ command: ["run", "info"] })],
  ["services.web.entrypoint", web({ entrypoint: ["sh"] })],
  ["services.web.volumes[0].source", web({ volumes: [{ type: "volume", source: "data", target: "/data" }] })],
  ["services.web.volumes", web({ volumes: [volume("uploads"), { type: "bind", source: "/", target: "/host" }] })],
  [
    "services.web.environment.LD_PRELOAD",
    web({ environment: { URL: "postgres://app:pa$$word@db/shop", LEVEL: "info", PRICE: "5$", LD_PRELOAD: "/x" } }),
  ],
  [
    "services.web.environment.LEVEL",
    web({ environment: { URL: "postgres://app:pa$$word@db/shop", LEVEL: "warn", PRICE: "5$" } }),
  ],
  [
    "services.web.files./run/secrets/key.content",
    web({ files: { "/run/secrets/key": { content: "key=other", mode: "0400" } } }),
  ],
  [
    "services.web.files./run/secrets/key.mode",
    web({ files: { "/run/secrets/key": { content: "key=pa$$word", mode: "0444" } } }),
  ],
  ["services.web.deploy.replicas", web({ deploy: { replicas: 20 } })],
  ["services.web.kind", web({ kind: "worker" })],
  ["services.miner", ({ services }) => ({ services: { ...services, miner: services["web"] } })],
  ["services.migrate", ({ services: { web: only } }) => ({ services: { web: only } })],
  ["volumes.data", ({ volumes }) => ({ volumes: { ...volumes, data: { external: false } } })],
  ["volumes.uploads.name", () => ({ volumes: { uploads: { name: "other_data", external: false } } })],
  ["routes[0].port", () => ({ routes: [{ path: "/", service: "web", port: 8080 }] })],
  ["routes", () => ({ routes: [] })],
  ["version", () => ({ version: "v2" })],
])("%s cannot be another", (path, change) => {
  const asked = release(given);
  expect(releaseDifferences(manifest, releaseSpec.parse({ ...asked, ...change(asked) }), given)).toEqual([path]);
});

test("nor can anything of the long-lived services", () => {
  const asked = accessories(given);
  const db = { ...asked.services["db"], image: image("db", "9") };
  const other = accessoriesSpec.parse({ ...asked, services: { db } });
  expect(accessoriesDifferences(manifest, other, given)).toEqual(["services.db.image"]);
  const without = { ...manifest, services: {} };
  expect(accessoriesDifferences(without, asked, given)).toEqual(["services (the bundle has no long-lived ones)"]);
});

test("a secret that the host is to put in stands as its marker on both sides", () => {
  const kept = { ...given, secrets: { PW: keptSecretMarker("PW") } };
  expect(releaseDifferences(manifest, release(kept), { env: given.env, secrets: {} })).toEqual([]);
  const [spread] = releaseDifferences(
    manifest,
    releaseSpec.parse({ ...release(kept), ...web({ command: [keptSecretMarker("PW")] })(release(kept)) }),
    { env: given.env, secrets: {} },
  );
  expect(spread).toBe("services.web.command");
});

test("without the values nothing can be compared, and which are missing is told by name, not by value", () => {
  expect(releaseDifferences(manifest, release(given), { env: {}, secrets: given.secrets })).toEqual([
    "the values of LEVEL, which did not come along",
  ]);
});

test("paths are told, never values: those may be secret", () => {
  const other = { env: given.env, secrets: { PW: "another" } };
  const told = releaseDifferences(manifest, release(given), other);
  expect(told).toEqual(["services.web.environment.URL", "services.web.files./run/secrets/key.content"]);
  expect(JSON.stringify(told)).not.toMatch(/pa\$\$word|another/);
});

const file = {
  version: "1",
  name: "orders",
  sha256: "a".repeat(64),
  phase: "expand",
  text: "CREATE TABLE orders ()",
  statements: [{ line: 1, start: 0, end: 22 }],
} as const;

test("SQL that is run has to be that of the bundle, to the letter; what is not run is not asked for", () => {
  const signed = bundleManifest.parse({
    ...manifest,
    migrations: { database: "db", files: [file, { ...file, version: "2", name: "users" }] },
  });
  const files = signed.migrations?.files ?? [];
  const found = (given: object): string[] =>
    migrationDifferences(signed, migrationSpec.parse({ app: "shop", bundle, database: "db", files, ...given }));
  expect(found({})).toEqual([]);
  expect(found({ files: files.slice(1) })).toEqual([]);
  expect(found({ files: [{ ...file, text: "DROP TABLE orders" }] })).toEqual(["migrations.1_orders.text"]);
  expect(found({ files: [{ ...file, version: "3" }] })).toEqual(["migrations.3_orders"]);
  expect(found({ database: "other" })).toEqual(["migrations.database"]);
  const spec = migrationSpec.parse({ app: "shop", bundle, database: "db", files });
  expect(migrationDifferences(manifest, spec)).toEqual([
    "migrations.database",
    "migrations.1_orders",
    "migrations.2_users",
  ]);
});

test("a program that migrates is that of the bundle, run with the very service", () => {
  const command = { service: "migrate", command: ["migrate", "deploy"], timeoutSeconds: 60 };
  const signed = bundleManifest.parse({ ...manifest, migrationCommand: command });
  const resolved = release(given);
  const asked = migrationCommandSpec.parse({
    ...command,
    ...{ app: "shop", bundle, definition: resolved.services["migrate"], volumes: resolved.volumes },
  });
  expect(commandDifferences(signed, asked, given)).toEqual([]);
  expect(commandDifferences(signed, { ...asked, command: ["sh"] }, given)).toEqual(["migrations.command"]);
  const privileged = { ...asked, definition: { ...asked.definition, privileged: true } };
  expect(commandDifferences(signed, privileged, given)).toEqual(["migrations.definition.privileged"]);
  expect(commandDifferences(manifest, asked, given)).not.toEqual([]);
});
