import { expect, test } from "@jest/globals";
import { Findings } from "./findings.ts";
import { databaseOf } from "./migrations-extension.ts";
import type { NormalisedService } from "./normalise.ts";

const service = (kind: NormalisedService["kind"], image: string, environment = {}): NormalisedService => {
  return { kind, reason: "", image, definition: { image, environment } };
};

/** The database, or what was refused. */
function chosen(services: Record<string, NormalisedService>, database?: string): string {
  const findings = new Findings();
  const found = databaseOf(
    { path: "./m", ...(database !== undefined && { database }) },
    new Map(Object.entries(services)),
    findings,
  );
  try {
    findings.throwIfRefused();
    return found;
  } catch (error) {
    return error instanceof Error ? error.message : "";
  }
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

test("none, several, and a name that is no accessory are refused", () => {
  const db = service("accessory", "postgres:15");
  expect(chosen({ cache })).toContain("no accessory is a PostgreSQL server");
  expect(chosen({ db, other: db })).toContain("there is db, other. Name the accessory");
  expect(chosen({ db, other: db }, "other")).toBe("other");
  expect(chosen({ db, web: service("web", "me/web") }, "web")).toContain("web is no accessory of the file");
});
