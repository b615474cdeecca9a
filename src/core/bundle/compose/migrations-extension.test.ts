import { expect, test } from "@jest/globals";
import { Findings } from "./findings.ts";
import { migrationPlanOf } from "./migrations-extension.ts";
import type { MigrationsExtension } from "./migrations-extension.ts";
import type { NormalisedService } from "./normalise.ts";

const service = (kind: NormalisedService["kind"], image: string, environment = {}): NormalisedService => {
  return { kind, reason: "", image, definition: { image, environment } };
};

/** What it comes to, or what was refused. */
function planOf(extension: MigrationsExtension, services: Record<string, NormalisedService>): unknown {
  const findings = new Findings();
  const found = migrationPlanOf(extension, new Map(Object.entries(services)), findings);
  try {
    findings.throwIfRefused();
    return found;
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
}

/** The database, or what was refused. */
function chosen(services: Record<string, NormalisedService>, database?: string): unknown {
  const found = planOf({ path: "./m", ...(database !== undefined && { database }) }, services);
  return typeof found === "object" && found !== null && "database" in found ? found.database : found;
}

const cache = service("accessory", "redis:7");

test.each([
  "postgres:15",
  "registry.example:5000/mirror/postgres",
  "postgis/postgis:16-3.4",
  "supabase/postgres:15.8",
  "pgvector/pgvector:pg17",
  "timescale/timescaledb@sha256:1",
])("%s is a PostgreSQL server", (image) => {
  expect(chosen({ cache, data: service("accessory", image), web: service("web", "postgres:15") })).toBe("data");
});

test("so is one that is set up like the official image", () => {
  expect(chosen({ cache, data: service("accessory", "me/db", { POSTGRES_PASSWORD: "${P}" }) })).toBe("data");
  expect(chosen({ cache, data: service("accessory", "me/postgres-exporter-ui", {}) })).toBe("data");
});

test("without any, the environment has to say where the database is", () => {
  expect(planOf({ path: "./m" }, { cache })).toEqual({ folder: "./m", database: undefined });
  expect(planOf({ path: "./m" }, { web: service("web", "me/web") })).toMatchObject({ database: undefined });
});

test("several, and a name that is no accessory are refused", () => {
  const db = service("accessory", "postgres:15");
  expect(chosen({ db, other: db })).toContain("there is db, other. Name the accessory");
  expect(chosen({ db, other: db }, "other")).toBe("other");
  expect(chosen({ db, web: service("web", "me/web") }, "web")).toContain("web is no accessory of the file");
});

test("a program is run in the only web service, or in the one that is named", () => {
  const services = {
    db: service("accessory", "postgres:15"),
    web: service("web", "me/web"),
    cli: service("job", "me/cli"),
  };
  const command = ["npx", "prisma", "migrate", "deploy"];
  expect(planOf({ command }, services)).toEqual({ migrationCommand: { service: "web", command, timeoutSeconds: 600 } });
  expect(planOf({ command, service: "cli", timeoutSeconds: 5 }, services)).toMatchObject({
    migrationCommand: { service: "cli", timeoutSeconds: 5 },
  });
  expect(planOf({ command, service: "db" }, services)).toContain("db is no service of the release");
  expect(planOf({ command }, { ...services, api: service("web", "me/api") })).toContain("not just one web service");
  expect(planOf({ command }, { web: service("web", "me/web") })).toMatchObject({
    migrationCommand: { service: "web" },
  });
});

test("it is either files or a program, each with its own settings", () => {
  const services = { db: service("accessory", "postgres:15"), web: service("web", "me/web") };
  expect(planOf({}, services)).toContain("a `path` to SQL files, or a `command`");
  expect(planOf({ path: "./m", command: ["x"] }, services)).toContain("one of them");
  expect(planOf({ path: "./m", service: "web" }, services)).toContain(
    "`service` and `timeoutSeconds` go with a `command`",
  );
  expect(planOf({ command: ["x"], database: "db" }, services)).toContain("`database` goes with a `path`");
});
