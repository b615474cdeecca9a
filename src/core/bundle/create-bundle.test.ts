import { afterAll, afterEach, beforeEach, expect, test } from "@jest/globals";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { stringify } from "yaml";
import { parseImageReference } from "../adapters/registry/image-reference.ts";
import { startLocalRegistry } from "../../../test/rigs/registry.ts";
import { RegistryClient } from "../adapters/registry/registry-client.ts";
import { ociManifestType } from "./artifact.ts";
import { findCompose, runCompose } from "./compose/compose-command.ts";
import { createBundle } from "./create-bundle.ts";
import type { CreateBundleOptions } from "./create-bundle.ts";
import { interpolateTree, mapStrings } from "./interpolate-tree.ts";
import type { BundleManifest } from "./manifest.ts";

const hex = (digit: string): string => `sha256:${digit.repeat(64)}`;
const webImage = `registry.example/me/shop@${hex("1")}`;
const postgres = `postgres@${hex("2")}`;
const environmentBefore = { ...process.env };

let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "ikoma-compose-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

afterAll(() => {
  process.env = environmentBefore;
});

async function file(path: string, content: string): Promise<string> {
  const full = join(folder, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, content);
  return full;
}

interface Made {
  manifest: BundleManifest;
  warnings: string[];
}

/** Makes a bundle of this compose file. */
async function make(compose: unknown, options: Partial<CreateBundleOptions> = {}): Promise<Made> {
  const path = await file("compose.yaml", typeof compose === "string" ? compose : stringify(compose));
  const warnings: string[] = [];
  const onWarning = (warning: string): void => void warnings.push(warning);
  const images = { web: webImage };
  const manifest = await createBundle({ app: "shop", version: "v1", files: [path], images, onWarning, ...options });
  return { manifest, warnings };
}

/** A web service with these settings, and others beside it. */
const shop = (web: object, others: object = {}, top: object = {}): object => {
  return { services: { web: { build: ".", ports: ["3000:3000"], ...web }, ...others }, ...top };
};

const definitionOf = (manifest: BundleManifest, name = "web"): Record<string, unknown> => {
  return manifest.services[name]?.definition ?? {};
};

test("an ordinary file becomes a bundle: split, images by digest, no value of any environment", async () => {
  const compose = `
services:
  web:
    build: { context: ., args: { VERSION: "\${BUILD_ONLY:-dev}" } }
    ports: ["3000:3000"]
    environment:
      DATABASE_URL: postgres://shop:\${DB_PASSWORD:?choose one}@db/shop
      PASSTHRU:
      PRICE: 5$$
      RETRIES: 3
      DEBUG: false
    depends_on: { db: { condition: service_healthy } }
    restart: always
    healthcheck: { test: curl -f localhost, interval: 5s, start_interval: 1s }
    labels: [team=shop]
  db:
    image: ${postgres}
    container_name: my-db
    restart: always
    environment: ["POSTGRES_PASSWORD=\${DB_PASSWORD}", TZ]
    volumes: ["data:/var/lib/postgresql/data"]
    healthcheck: { test: [CMD, pg_isready] }
volumes:
  data:
`;
  process.env.PASSTHRU = "from the machine that makes the bundle";
  await file(".env", "DB_PASSWORD=hunter2\nPASSTHRU=hunter2\nCOMPOSE_PROFILES=x\n");
  const { manifest, warnings } = await make(compose);
  expect(manifest).toEqual({
    apiVersion: "ikoma.dev/v1",
    kind: "Bundle",
    app: "shop",
    version: "v1",
    services: {
      web: {
        kind: "web",
        reason: "built from this repository, and it publishes 3000:3000",
        definition: {
          image: webImage,
          environment: {
            DATABASE_URL: "postgres://shop:${DB_PASSWORD:?choose one}@db/shop",
            PASSTHRU: "${PASSTHRU}",
            PRICE: "5$$",
            RETRIES: "3",
            DEBUG: "false",
          },
          healthcheck: { test: ["CMD-SHELL", "curl -f localhost"], interval: "5s" },
          labels: { team: "shop" },
        },
      },
      db: {
        kind: "accessory",
        reason: "image of others (postgres)",
        definition: {
          image: postgres,
          environment: { POSTGRES_PASSWORD: "${DB_PASSWORD}", TZ: "${TZ}" },
          volumes: [{ type: "volume", source: "data", target: "/var/lib/postgresql/data", volume: {} }],
          healthcheck: { test: ["CMD", "pg_isready"] },
        },
      },
    },
    volumes: { data: { external: false } },
    routes: [{ path: "/", service: "web", port: 3000 }],
    smoke: [],
    variables: [
      { name: "DB_PASSWORD", required: true },
      { name: "PASSTHRU", required: false },
      { name: "TZ", required: false },
    ],
  });
  expect(warnings).toEqual(["services.db.container_name: it is left out; the agent names containers."]);
  expect(JSON.stringify(manifest)).not.toMatch(/hunter2|from the machine/);
});

/** A file as compose resolves it with these values, without what depends on the project's name. */
async function resolvedByCompose(model: unknown, values: Record<string, string>): Promise<Record<string, unknown>> {
  const words = ["--project-name", "p", "--file", "-", "--env-file", "/dev/null", "config", "--format", "json"];
  const compose = await findCompose();
  const { stdout, stderr } = await runCompose(compose, words, { input: JSON.stringify(model), environment: values });
  if (stdout === "") throw new Error(stderr);
  const { services } = JSON.parse(stdout) as { services: Record<string, Record<string, unknown>> };
  return services.web ?? {};
}

test("resolved later, with its dollars doubled again, a definition means to compose what the file meant", async () => {
  const web = {
    image: webImage,
    environment: ["A=${X:-1}$$y", "B=${N}", "C=${U-${X}}"],
    command: 'run "${X}" $$HOME',
    entrypoint: ["sh", "-c", "echo ${N:+many}"],
    mem_limit: "${MEMORY:-64m}",
    deploy: { replicas: "${N}" },
    healthcheck: { test: "curl $$URL ${N}", interval: "${N}s", retries: 3 },
    volumes: ["data:/data"],
    tmpfs: "/tmp",
    ulimits: { nofile: 1024 },
    extra_hosts: ["a:1.2.3.4"],
    labels: ["a=${X}"],
    logging: { driver: "json-file", options: { "max-size": "${N}m" } },
    stop_grace_period: "1m",
  };
  const values: Record<string, string> = { X: "a$b c'd", N: "2" };
  const { manifest } = await make({
    services: { web: { ...web, "x-ikoma": { kind: "web", port: 1 } } },
    volumes: { data: {} },
  });
  const resolved = interpolateTree(definitionOf(manifest), (name) => values[name]);
  const escaped = mapStrings(resolved, (text) => text.replaceAll("$", "$$$$"));
  const volumes = { data: {} };
  const ours = await resolvedByCompose({ services: { web: escaped }, volumes }, {});
  expect(ours).toEqual(await resolvedByCompose({ services: { web }, volumes }, values));
  expect(ours).toMatchObject({ deploy: { replicas: 2 }, mem_limit: String(64 * 1024 * 1024) });
});

test("x-ikoma says kinds, ports, paths, checks and how long to drain", async () => {
  const { manifest } = await make({
    "x-ikoma": { drainSeconds: 5, strategy: "replace", smoke: [{ path: "/ready" }], health: { path: "/health" } },
    services: {
      web: { build: ".", "x-ikoma": { kind: "web", port: 8080, smoke: [{ path: "/", contains: "Shop" }] } },
      api: { image: webImage, ports: ["9000:9000"], "x-ikoma": { kind: "web", path: "/api" } },
      cache: { image: webImage, "x-ikoma": { kind: "accessory" } },
    },
  });
  const kinds = Object.entries(manifest.services).map(([name, { kind }]) => `${name} ${kind}`);
  expect(kinds.sort()).toEqual(["api web", "cache accessory", "web web"]);
  expect(manifest.routes).toEqual(
    expect.arrayContaining([
      { path: "/", service: "web", port: 8080 },
      { path: "/api", service: "api", port: 9000 },
    ]),
  );
  expect(manifest).toMatchObject({
    drainSeconds: 5,
    strategy: "replace",
    health: { path: "/health", timeoutSeconds: 30 },
  });
  expect(manifest.smoke).toEqual([
    { path: "/ready", status: [200, 399], timeoutSeconds: 5 },
    { path: "/", status: [200, 399], contains: "Shop", timeoutSeconds: 5 },
  ]);
  expect(definitionOf(manifest)).toEqual({ image: webImage });
});

test("extends and include are resolved by compose", async () => {
  await file("sub/base.yaml", "services: { base: { build: ., environment: { FROM: base } } }");
  await file("sub/data.yaml", `services: { db: { image: ${postgres} } }`);
  const compose = {
    include: ["sub/data.yaml"],
    services: { web: { extends: { file: "sub/base.yaml", service: "base" }, ports: ["3000:3000"] } },
  };
  const { manifest } = await make(compose);
  expect(Object.keys(manifest.services).sort()).toEqual(["db", "web"]);
  expect(definitionOf(manifest).environment).toEqual({ FROM: "base" });
});

test("services of a profile come only when the profile is named", async () => {
  const compose = shop({}, { tools: { image: postgres, profiles: ["debug"] } });
  process.env.COMPOSE_PROFILES = "debug";
  expect(Object.keys((await make(compose)).manifest.services)).toEqual(["web"]);
  const { manifest } = await make(compose, { profiles: ["debug"] });
  expect(Object.keys(manifest.services).sort()).toEqual(["tools", "web"]);
  expect(definitionOf(manifest, "tools")).not.toHaveProperty("profiles");
  await expect(make(compose, { profiles: ["debgu"] })).rejects.toMatchObject({
    code: "USAGE",
    hint: "Profiles are: debug.",
  });
});

test("a service that must complete first is a job of the release; dependencies across the split are left out", async () => {
  const web = {
    depends_on: { db: { condition: "service_healthy" }, migrate: { condition: "service_completed_successfully" } },
  };
  const migrate = { image: `migrate/migrate@${hex("3")}`, depends_on: ["db"] };
  const { manifest } = await make(shop(web, { migrate, db: { image: postgres } }));
  expect(manifest.services.migrate).toMatchObject({
    kind: "job",
    reason: "web waits for it to complete",
    hook: { run: "pre", timeoutSeconds: 300 },
  });
  expect(definitionOf(manifest).depends_on).toEqual({
    migrate: { condition: "service_completed_successfully", required: true },
  });
  expect(definitionOf(manifest, "migrate")).not.toHaveProperty("depends_on");
});

test("`run` makes a job that runs for each deployment, before it serves or after", async () => {
  const migrate = { image: webImage, command: "npm run migrate", "x-ikoma": { run: "pre", timeoutSeconds: 60 } };
  const warm = { image: webImage, "x-ikoma": { kind: "job", run: "post" } };
  const { manifest } = await make(shop({}, { migrate, warm }));
  expect(manifest.services.migrate).toMatchObject({ kind: "job", hook: { run: "pre", timeoutSeconds: 60 } });
  expect(manifest.services.warm).toMatchObject({ kind: "job", hook: { run: "post", timeoutSeconds: 300 } });
  expect(manifest.services.web).not.toHaveProperty("hook");
});

test("a job without `run` that nobody waits for is not run by itself", async () => {
  const { manifest } = await make(shop({}, { report: { image: webImage, "x-ikoma": { kind: "job" } } }));
  expect(manifest.services.report).toMatchObject({ kind: "job" });
  expect(manifest.services.report).not.toHaveProperty("hook");
});

test("`run` on what runs all the time, and a time limit on what does not end, are refused", async () => {
  const poller = { image: webImage, "x-ikoma": { kind: "worker", run: "pre" } };
  await expect(make(shop({}, { poller }))).rejects.toMatchObject({
    code: "COMPOSE_UNSUPPORTED",
    message: expect.stringContaining("a worker runs all the time"),
  });
  await expect(make(shop({ "x-ikoma": { timeoutSeconds: 5 } }))).rejects.toMatchObject({
    message: expect.stringContaining("services.web.x-ikoma.timeoutSeconds"),
  });
});

test("tags become the digests that they have in the registry now", async () => {
  await using registry = await startLocalRegistry();
  const client = new RegistryClient();
  const push = async (name: string, comment: string): Promise<string> => {
    const reference = parseImageReference(name);
    await client.putBlob(reference, Buffer.from("{}"));
    const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest: hex("4"), size: 2 };
    const { createHash } = await import("node:crypto");
    config.digest = `sha256:${createHash("sha256").update("{}").digest("hex")}`;
    const manifest = { schemaVersion: 2, mediaType: ociManifestType, config, layers: [], annotations: { comment } };
    return client.putManifest(reference, ociManifestType, Buffer.from(JSON.stringify(manifest)));
  };
  const web = await push(`${registry.address}/me/shop:v1`, "web");
  const db = await push(`${registry.address}/library/postgres:15`, "db");
  const images = { web: `${registry.address}/me/shop:v1` };
  const mirrors = { "docker.io": `http://${registry.address}` };
  const compose = shop({}, { db: { image: "postgres:15" } });
  const { manifest } = await make(compose, { images, registry: { mirrors } });
  expect(definitionOf(manifest).image).toBe(`${registry.address}/me/shop@${web}`);
  expect(definitionOf(manifest, "db").image).toBe(`postgres@${db}`);
  const missing = make(compose, { images: { web: `${registry.address}/me/shop:v2` }, registry: { mirrors } });
  await expect(missing).rejects.toMatchObject({
    code: "IMAGE_NOT_FOUND",
    message: expect.stringContaining("Image of web"),
  });
});

test("the names of an env_file are asked of each environment, its values stay out", async () => {
  await file("shop.env", "# comment\nAPI_KEY=hunter2\nexport URL='a$b'\nBARE\nTEXT=\"line\nWORD\nend\"\n");
  const compose = shop({
    env_file: ["shop.env", { path: "none.env", required: false }],
    environment: { URL: "fixed" },
  });
  const { manifest } = await make(compose);
  expect(definitionOf(manifest).environment).toEqual({
    API_KEY: "${API_KEY?}",
    URL: "fixed",
    BARE: "${BARE?}",
    TEXT: "${TEXT?}",
  });
  expect(manifest.variables.map(({ name, required }) => `${name} ${required}`)).toEqual([
    "API_KEY true",
    "BARE true",
    "TEXT true",
  ]);
  expect(JSON.stringify(manifest)).not.toContain("hunter2");
});

test("values of an env_file that is named are in the bundle, with their dollars", async () => {
  const path = await file(
    "shop.env",
    "PLAIN=a b # comment\nSINGLE='a$HOME'\nDOUBLE=\"q $HOME\"\nOPEN=x$HOME$$\nBARE\n",
  );
  const { manifest } = await make(shop({ env_file: "shop.env" }), { includeEnvFiles: [path] });
  const resolved = interpolateTree(definitionOf(manifest), (name) => (name === "BARE" ? "given" : "wrong"));
  expect(resolved.environment).toEqual({
    PLAIN: "a b",
    SINGLE: "a$HOME",
    DOUBLE: "q $HOME",
    OPEN: "x$HOME$$",
    BARE: "given",
  });
});

test("a missing env_file, or one that nobody uses, is an error that names it; a bad line is not shown", async () => {
  await expect(make(shop({ env_file: "none.env" }))).rejects.toMatchObject({
    code: "COMPOSE_INVALID",
    message: expect.stringContaining("none.env"),
  });
  await expect(make(shop({}), { includeEnvFiles: ["/other.env"] })).rejects.toMatchObject({ code: "USAGE" });
  await file("bad.env", "A+B=hunter2\n");
  const failure = await make(shop({ env_file: "bad.env" })).catch((thrown: unknown) => String(thrown));
  expect(failure).toContain("bad.env");
  expect(failure).not.toContain("hunter2");
});

test.each<[string, object, string]>([
  [
    "a variable in a short mount",
    { volumes: ["${DATA:-./data}:/data"] },
    "it cannot be told whether this is a path or a volume",
  ],
  ["a volume with a name of one letter", { volumes: ["v:/data"] }, "a volume's name needs two characters"],
  ["a volume that is not declared", { volumes: ["nowhere:/data"] }, "the volume nowhere is not declared"],
  ["a mount of a folder of the project", { volumes: ["./conf:/conf"] }, "the host does not have"],
  ["a mount of a home folder", { volumes: ["~/conf:/conf"] }, "the host does not have"],
  [
    "a mount of a variable path",
    { volumes: [{ type: "bind", source: "${DIR}", target: "/d" }] },
    "Start it with a slash",
  ],
  ["a container name", { container_name: "shop" }, "a name can be taken only once"],
  ["the host's network", { network_mode: "host" }, "joins only the network of its release"],
  [
    "a second fixed port",
    { ports: ["3000:3000", "9229:9229"], "x-ikoma": { port: 3000 } },
    "9229:9229 would be taken by the old release",
  ],
  ["a port of UDP", { ports: ["3000:3000", "53:53/udp"], "x-ikoma": { port: 3000 } }, "the edge does not carry"],
  ["two published ports and no word", { ports: ["80:80", "443:443"] }, "its web port is not clear"],
  ["a variable web port", { ports: ["3000:${PORT}"] }, "its web port is not clear"],
  ["a range of ports", { ports: ["3000-3001:3000-3001"] }, "its web port is not clear"],
  ["a secret that is not declared", { secrets: ["token"] }, "it is not declared under `secrets:`"],
  ["a config that is not declared", { configs: ["site"] }, "it is not declared under `configs:`"],
  ["an address on a network", { networks: { default: { ipv4_address: "10.1.1.9" } } }, "ipv4_address cannot be kept"],
  ["a second name that another has", { networks: { default: { aliases: ["db"] } } }, "db is a name of db too"],
  ["a link with another name", { links: ["db:database"] }, "Use the name, without an alias"],
  ["volumes of another service", { volumes_from: ["db"] }, "name the volumes under `volumes`"],
  ["a dependency that is not there", { depends_on: ["nobody"] }, "there is no service nobody"],
  ["a label of the agent", { labels: { "dev.ikoma.app": "x" } }, "are the agent's"],
  ["a variable as a name", { environment: ["${NAME}=x"] }, "a name cannot hold a variable"],
  ["a network that is not declared", { networks: ["nowhere"] }, "the network nowhere is not declared"],
])("%s is refused with the reason", async (_, web, reason) => {
  const refused = make(shop(web, { db: { image: postgres } }));
  await expect(refused).rejects.toMatchObject({
    code: "COMPOSE_UNSUPPORTED",
    message: expect.stringContaining(reason),
  });
});

test.each<[string, object, string]>([
  ["an external network", { networks: { default: { external: true } } }, "cannot join an external network"],
  ["a volume of another driver", { volumes: { data: { driver: "nfs" } } }, "only local volumes"],
  [
    "a volume with driver options",
    { volumes: { data: { driver_opts: { type: "tmpfs" } } } },
    "`driver_opts` are not supported",
  ],
  ["a volume with a variable name", { volumes: { data: { name: "x-${ENV}" } } }, "cannot hold a variable"],
  ["a route to nobody", { "x-ikoma": { routes: [{ service: "api", port: 1 }] } }, "there is no service api"],
  [
    "a route to an accessory",
    {
      "x-ikoma": {
        routes: [
          { service: "db", port: 1 },
          { path: "/x", service: "web", port: 3000 },
        ],
      },
      services: {
        web: { build: ".", volumes: ["data:/d"] },
        db: { image: postgres, "x-ikoma": { kind: "accessory" } },
      },
    },
    "db is not a web service",
  ],
])("%s is refused with the reason", async (_, top, reason) => {
  const compose = shop({ volumes: ["data:/data"] }, {}, { volumes: { data: {} }, ...top });
  await expect(make(compose)).rejects.toMatchObject({
    code: "COMPOSE_UNSUPPORTED",
    message: expect.stringContaining(reason),
  });
});

test("everything that is wrong is told at once", async () => {
  const failure = make(shop({ container_name: "shop", network_mode: "host", volumes: ["./a:/a"] }));
  const details = {
    refusals: expect.arrayContaining([expect.any(String), expect.any(String), expect.any(String)]) as unknown,
  };
  await expect(failure).rejects.toMatchObject({ code: "COMPOSE_UNSUPPORTED", details });
});

test("images have to be told before they are deployed", async () => {
  const withoutImage = make(shop({}), { images: {} });
  await expect(withoutImage).rejects.toThrow("`--image web=registry/name:tag`");
  const variable = make(
    { services: { web: { image: "me/shop:${TAG}", "x-ikoma": { kind: "web", port: 1 } } } },
    { images: {} },
  );
  await expect(variable).rejects.toThrow("me/shop:${TAG} holds a variable");
  const unknown = make(shop({}), { images: { wbe: webImage } });
  await expect(unknown).rejects.toMatchObject({ code: "USAGE", hint: "Services are: web." });
});

test("what may be as intended is told, and made", async () => {
  const db = { image: postgres, ports: ["5432:5432"], volumes: ["/srv/data:/data"], depends_on: ["web"] };
  const { manifest, warnings } = await make(
    shop({ privileged: true }, { db, cache: { image: postgres, ports: ["127.0.0.1:6379:6379"], tmpfs: "/data" } }),
  );
  expect(warnings).toEqual([
    "services.db.ports: 5432:5432 can be reached from outside. The app does not need it; write 127.0.0.1 in front, or remove it.",
    "services.db.depends_on: left out: db lives on across releases and starts before web.",
    "services.db.volumes: /srv/data is a path of the host; it must be there.",
    "services.web.privileged: it has full power over the host.",
  ]);
  expect(definitionOf(manifest, "db").ports).toMatchObject([{ published: "5432", target: 5432 }]);
});

test("several networks of the file become one, and old links become dependencies", async () => {
  const compose = shop(
    { networks: ["front", "back"], links: ["worker"], deploy: { replicas: 2, restart_policy: { condition: "any" } } },
    { worker: { image: webImage, networks: ["back"] } },
    { networks: { front: {}, back: {} } },
  );
  const { manifest, warnings } = await make(compose);
  expect(warnings).toEqual(["networks: back, front become one network: all services of a release reach each other."]);
  expect(definitionOf(manifest)).toEqual({
    image: webImage,
    depends_on: { worker: { condition: "service_started", required: true } },
    deploy: { replicas: 2 },
  });
  expect(manifest.services.worker).toMatchObject({
    kind: "worker",
    reason: expect.stringContaining("registry.example/me"),
  });
});

test("what compose refuses is told in its words, and a missing file by its name", async () => {
  const wrong = make("services: { web: { imag: x } }");
  await expect(wrong).rejects.toMatchObject({ code: "COMPOSE_INVALID", message: expect.stringContaining("imag") });
  const none = createBundle({ app: "shop", version: "v1", files: [join(folder, "none.yaml")] });
  await expect(none).rejects.toMatchObject({ code: "COMPOSE_INVALID", message: expect.stringContaining("none.yaml") });
  const unnamed = createBundle({ app: "shop", version: "v1", projectDirectory: join(folder, "empty") });
  await expect(unnamed).rejects.toMatchObject({
    code: "PROJECT_UNKNOWN",
    hint: expect.stringContaining("docker-compose.yml"),
  });
  const badName = make(shop({}), { app: "Shop!" });
  await expect(badName).rejects.toMatchObject({ code: "COMPOSE_INVALID", message: expect.stringContaining("app") });
});

test("a worker of which there may be only one at a time says so; others that say it are refused", async () => {
  const queue = { image: webImage, "x-ikoma": { kind: "worker", overlap: false } };
  const { manifest } = await make(shop({}, { queue, poller: { ...queue, "x-ikoma": { overlap: true } } }));
  expect(manifest.services["queue"]).toMatchObject({ kind: "worker", overlap: false });
  expect(manifest.services["poller"]).not.toHaveProperty("overlap");
  await expect(make(shop({ "x-ikoma": { overlap: false } }))).rejects.toMatchObject({
    code: "COMPOSE_UNSUPPORTED",
    message: expect.stringContaining("strategy: replace"),
  });
  const cache = { image: "redis:7", "x-ikoma": { kind: "accessory", overlap: false } };
  await expect(make(shop({}, { cache }))).rejects.toMatchObject({
    message: expect.stringContaining("cache is an accessory"),
  });
});

test("a strategy that there is not is refused with those that there are", async () => {
  for (const strategy of ["bluegreen", { rolling: {} }])
    await expect(make({ ...shop({}), "x-ikoma": { strategy } })).rejects.toMatchObject({
      code: "COMPOSE_INVALID",
      message: expect.stringMatching(/one of switch, replace, canary, rolling[^]*at strategy/),
    });
  const steps = [{ percent: 5, seconds: 60 }];
  const { manifest } = await make({ ...shop({}), "x-ikoma": { strategy: { canary: { steps } } } });
  expect(manifest.strategy).toEqual({ canary: { steps } });
});

test("x-ikoma that is not understood is refused by its key", async () => {
  const failure = make(shop({ "x-ikoma": { prot: 3000 } }));
  await expect(failure).rejects.toMatchObject({ code: "COMPOSE_INVALID", message: expect.stringContaining("prot") });
});

test("without compose v2 it says so; v1 does not count", async () => {
  const bin = join(folder, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "docker-compose"), "#!/bin/sh\necho 1.29.2\n", { mode: 0o755 });
  process.env.PATH = bin;
  try {
    const failure = make(shop({}));
    await expect(failure).rejects.toMatchObject({
      code: "COMPOSE_MISSING",
      message: expect.stringContaining("version 1.29.2"),
    });
  } finally {
    process.env.PATH = environmentBefore.PATH;
  }
});

test("secrets and configs become files; a secret's content is a variable, a config's a text", async () => {
  await file("site.conf", "price $5\n");
  await file("api.key", "never in a bundle");
  const web = {
    secrets: ["db_password", { source: "api-key", target: "/etc/keys/api", mode: 0o440, uid: "1000", gid: "1000" }],
    configs: ["site", { source: "motd", target: "/etc/motd" }],
  };
  const top = {
    secrets: { db_password: { environment: "DB_PASSWORD" }, "api-key": { file: "./api.key" } },
    configs: { site: { file: "./site.conf" }, motd: { content: "hello ${NAME:-you}" } },
  };
  const { manifest, warnings } = await make(shop(web, {}, top));
  const { definition } = manifest.services["web"] ?? {};
  expect(definition?.files).toEqual({
    "/run/secrets/db_password": { content: "${DB_PASSWORD}", mode: "0444" },
    "/etc/keys/api": { content: "${API_KEY}", mode: "0440", uid: 1000, gid: 1000 },
    "/site": { content: "price $$5\n", mode: "0444" },
    "/etc/motd": { content: "hello ${NAME:-you}", mode: "0444" },
  });
  expect(definition).not.toHaveProperty("secrets");
  expect(manifest.variables).toEqual([
    { name: "API_KEY", required: false },
    { name: "DB_PASSWORD", required: false },
    { name: "NAME", required: false, default: "you" },
  ]);
  expect(warnings).toContain(
    "secrets.api-key: the file ./api.key is not taken along; its value is the secret API_KEY of the environment.",
  );
  expect(JSON.stringify(manifest)).not.toContain("never in a bundle");
});

test.each([
  ["is not there", undefined, "COMPOSE_INVALID", "there is no file ./site.conf"],
  ["is no text", "\0", "COMPOSE_UNSUPPORTED", "it is no text"],
  ["is too long", "x".repeat(256 * 1024 + 1), "COMPOSE_UNSUPPORTED", "it has 262145 bytes"],
])("a config whose file %s is refused", async (_, content, code, message) => {
  if (content !== undefined) await file("site.conf", content);
  const made = make(shop({ configs: ["site"] }, {}, { configs: { site: { file: "./site.conf" } } }));
  await expect(made).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
});

test.each([
  ["two at one path", { secrets: ["a", { source: "b", target: "a" }] }, "/run/secrets/a has another content already"],
  ["a mode that is none", { secrets: [{ source: "a", mode: "rw" }] }, "rw is no mode such as 0440"],
  ["a name instead of a number", { secrets: [{ source: "a", uid: "node" }] }, "node is no number"],
])("of files %s is refused", async (_, web, reason) => {
  const secrets = { a: { environment: "A" }, b: { environment: "B" } };
  const message = expect.stringContaining(reason);
  await expect(make(shop(web, {}, { secrets }))).rejects.toMatchObject({ code: "COMPOSE_UNSUPPORTED", message });
});

test("mounted files of the folder go into the bundle, read-only, those that run as such", async () => {
  await file("nginx.conf", "root $document_root;\n");
  await file("init/1.sql", "select 1;");
  await chmod(await file("init/deep/2.sh", "echo"), 0o755);
  const volumes = ["./nginx.conf:/etc/nginx/nginx.conf:ro", "./init:/docker-entrypoint-initdb.d", "data:/data"];
  const { manifest, warnings } = await make(shop({ volumes }, {}, { volumes: { data: {} } }));
  const { definition } = manifest.services["web"] ?? {};
  expect(definition?.files).toEqual({
    "/etc/nginx/nginx.conf": { content: "root $$document_root;\n", mode: "0444" },
    "/docker-entrypoint-initdb.d/1.sql": { content: "select 1;", mode: "0444" },
    "/docker-entrypoint-initdb.d/deep/2.sh": { content: "echo", mode: "0555" },
  });
  expect(definition?.["volumes"]).toMatchObject([{ type: "volume", source: "data" }]);
  expect(warnings).toEqual([
    "services.web.volumes: ./nginx.conf goes into the bundle as it is now.",
    "services.web.volumes: ./init goes into the bundle as it is now, and is mounted read-only.",
  ]);
});

test.each([
  ["that is not there", [], "(it is not there)"],
  ["of a whole program", Array.from({ length: 65 }, (_, index) => `src/${index}.ts`), "(it has more than 64 files)"],
])("a mount of a folder %s is refused with the reason", async (_, paths, reason) => {
  for (const path of paths) await file(path, "");
  const message = expect.stringContaining(reason);
  await expect(make(shop({ volumes: ["./src:/app"] }))).rejects.toMatchObject({ code: "COMPOSE_UNSUPPORTED", message });
});

test("a folder without files is refused: what the app writes there would not stay", async () => {
  await mkdir(join(folder, "uploads"), { recursive: true });
  const message = expect.stringContaining("./uploads is an empty folder here");
  const refused = make(shop({ volumes: ["./uploads:/app/uploads"] }));
  await expect(refused).rejects.toMatchObject({ code: "COMPOSE_UNSUPPORTED", message });
});

test("a folder of migrations goes into the bundle where the file names it, and what would not be run is told", async () => {
  await file("supabase/migrations/1_a.sql", "create table a (id int);\r\n");
  await file("supabase/migrations/2_b.sql", "truncate a;");
  const db = { db: { image: postgres, volumes: ["data:/var/lib/postgresql/data"] } };
  const volumes = { data: {} };
  expect((await make(shop({}, db, { volumes }))).manifest).not.toHaveProperty("migrations");
  const top = { volumes, "x-ikoma": { migrations: { path: "./supabase/migrations" } } };
  const { manifest, warnings } = await make(shop({}, db, top));
  expect(manifest.migrations).toMatchObject({
    database: "db",
    files: [
      { version: "1", name: "a", text: "create table a (id int);\n", phase: "expand" },
      { version: "2", name: "b", phase: "contract" },
    ],
  });
  expect(warnings).toEqual([expect.stringMatching(/^2_b\.sql:1 will not be run, for truncate: /)]);
  await file("supabase/migrations/b.sql", "");
  await expect(make(shop({}, db, top))).rejects.toMatchObject({ code: "MIGRATIONS_INVALID" });
});

test("a program that migrates goes in as it is written", async () => {
  const top = { "x-ikoma": { migrations: { command: ["npx", "prisma", "migrate", "deploy"] } } };
  const { manifest } = await make(shop({}, { db: { image: postgres } }, top));
  expect(manifest.migrationCommand).toEqual({
    service: "web",
    command: ["npx", "prisma", "migrate", "deploy"],
    timeoutSeconds: 600,
  });
  // The database may be elsewhere.
  expect((await make(shop({}, {}, top))).manifest.migrationCommand).toEqual(manifest.migrationCommand);
});

describe("a database whose data has no name", () => {
  const data = "services.db: its data is in a volume without a name";
  test.each<[string, object]>([
    ["mounts nothing", { image: postgres }],
    ["mounts a volume without a name", { image: postgres, volumes: ["/var/lib/postgresql/data"] }],
  ])("is told where it %s", async (_, db) => {
    expect((await make(shop({}, { db }))).warnings).toEqual([expect.stringContaining(data)]);
  });

  test("but not of what is no database, whatever its name begins with", async () => {
    const image = postgres.replace("postgres", "postgres-exporter");
    expect((await make(shop({}, { metrics: { image } }))).warnings).toEqual([]);
  });

  test.each<[string, object]>([
    ["in a named volume", { image: postgres, volumes: ["data:/var/lib/postgresql/data"] }],
    ["in memory", { image: postgres, tmpfs: ["/var/lib/postgresql/data"] }],
    ["at a path of the host", { image: postgres, volumes: ["/srv/db:/var/lib/postgresql/data"] }],
  ])("but not where it is %s", async (_, db) => {
    const { warnings } = await make(shop({}, { db }, { volumes: { data: {} } }));
    expect(warnings.join()).not.toContain("without a name");
  });
});
