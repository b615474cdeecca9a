import type { ComposeService } from "./compose-model.ts";
import { Findings } from "./findings.ts";
import { asSupabaseStack, reasonOfStack } from "./supabase-stack.ts";

const base: Record<string, ComposeService> = {
  "api-gw": { image: "envoyproxy/envoy:v1.39.1", container_name: "supabase-envoy", ports: ["${PORT:-8000}:8000/tcp"] },
  auth: { image: "supabase/gotrue:v2.196.0" },
  rest: { image: "postgrest/postgrest:v14.17" },
};

function made(services: Record<string, ComposeService>): {
  services: Readonly<Record<string, ComposeService>>;
  volumes: readonly string[];
  findings: Findings;
} {
  const findings = new Findings();
  const model = { services, volumes: { "db-config": null }, networks: {}, secrets: {}, configs: {} };
  const stack = asSupabaseStack({ model, services }, findings);
  return { services: stack.services, volumes: Object.keys(stack.model.volumes), findings };
}

const localFolder = (source: string, target: string) => ({ type: "bind", source, target });

test("the gateway is the web, and what else belongs to the stack lives on", () => {
  const { services, findings } = made(base);
  expect(services["api-gw"]?.["x-ikoma"]).toEqual({ kind: "web", port: 8000 });
  expect(services["auth"]?.["x-ikoma"]).toEqual({ kind: "accessory" });
  expect(findings.warnings[0]).toContain("api-gw is the web");
  expect(reasonOfStack(services["api-gw"] ?? {})).toBe("the gateway of Supabase's stack");
});

test("what the file says itself is kept, and a service of the user's own is left to the usual rules", () => {
  const { services } = made({
    ...base,
    functions: { image: "supabase/edge-runtime:v1.76.2", "x-ikoma": { kind: "worker" } },
    site: { image: "registry.example/site:1" },
  });
  expect(services["functions"]?.["x-ikoma"]).toEqual({ kind: "worker" });
  expect(reasonOfStack(services["functions"] ?? {})).toBeUndefined();
  expect(services["site"]).toEqual({ image: "registry.example/site:1" });
});

test("folders for data become volumes, and settings stay files", () => {
  const sql = localFolder("./volumes/db/roles.sql", "/docker-entrypoint-initdb.d/init-scripts/99-roles.sql");
  const storage = localFolder("./volumes/storage", "/var/lib/storage");
  const { services, volumes, findings } = made({
    ...base,
    db: {
      image: "supabase/postgres:17.6.1",
      volumes: [sql, localFolder("./volumes/db/data", "/var/lib/postgresql/data")],
    },
    storage: { image: "supabase/storage-api:v1.74.0", volumes: [storage] },
    imgproxy: { image: "darthsim/imgproxy:v3.31.4", volumes: [{ ...storage, read_only: true }] },
  });
  const stored = { type: "volume", source: "storage-data", target: "/var/lib/storage" };
  expect(services["db"]?.volumes).toEqual([
    sql,
    { type: "volume", source: "db-data", target: "/var/lib/postgresql/data" },
  ]);
  expect(services["storage"]?.volumes).toEqual([stored]);
  expect(services["imgproxy"]?.volumes).toEqual([{ ...stored, read_only: true }]);
  expect(volumes).toEqual(["db-config", "db-data", "storage-data"]);
  expect(findings.warnings).toContainEqual(expect.stringContaining("what the folder holds here is not taken along"));
});

test("a service is still found by the name that its container had", () => {
  const { services } = made({
    ...base,
    realtime: { image: "supabase/realtime:v2.134.10", container_name: "realtime-dev.supabase-realtime" },
    "api-gw": { ...base["api-gw"], networks: { default: { aliases: ["envoy", "kong"] } } },
  });
  expect(services["realtime"]?.networks).toEqual({ default: { aliases: ["realtime-dev.supabase-realtime"] } });
  expect(services["api-gw"]?.networks).toEqual({ default: { aliases: ["envoy", "kong", "supabase-envoy"] } });
  expect(services["api-gw"]).not.toHaveProperty("container_name");
});

test("databases and poolers are published on the host itself only", () => {
  const pooler = { image: "supabase/supavisor:2.9.12", ports: ["${POSTGRES_PORT}:5432", "6543"] };
  const { services, findings } = made({ ...base, pooler });
  expect(services["pooler"]?.ports).toEqual(["127.0.0.1:${POSTGRES_PORT}:5432", "127.0.0.1::6543"]);
  findings.throwIfRefused();
});

test.each(["0.0.0.0", "127.evil.example"])(
  "a database's port that is opened to others at %s on purpose is refused",
  (address) => {
    const ports = [`${address}:5432:5432`];
    const { findings } = made({ ...base, pooler: { image: "supabase/supavisor:2.9.12", ports } });
    expect(() => {
      findings.throwIfRefused();
    }).toThrow(`${address}:5432:5432 would be open to everybody`);
  },
);

test("Kong of an older file loses its second port, and gets a health check that asks for no login", () => {
  const kong = { image: "kong:2.8.1", ports: ["${KONG_HTTP_PORT}:8000/tcp", "${KONG_HTTPS_PORT}:8443/tcp"] };
  const { services, findings } = made({ kong, auth: base["auth"] ?? {}, rest: base["rest"] ?? {} });
  expect(services["kong"]?.ports).toEqual(["${KONG_HTTP_PORT}:8000/tcp"]);
  expect(services["kong"]?.healthcheck?.test).toEqual(["CMD", "kong", "health"]);
  expect(findings.warnings).toContainEqual(expect.stringContaining("8443/tcp is not published"));
});

test.each(["supabase/gotrue", "supabase/gotrue:latest"])(
  "of %s the next bundle could have another one: told",
  (image) => {
    const { findings } = made({ ...base, auth: { image } });
    expect(findings.warnings).toContainEqual(expect.stringContaining(`${image} is the newest there is`));
  },
);

test("a file that only uses one of the images stays as it is", () => {
  const services = { db: { image: "supabase/postgres:17.6.1", container_name: "db", ports: ["5432:5432"] } };
  expect(made(services)).toMatchObject({ services, volumes: ["db-config"] });
});
