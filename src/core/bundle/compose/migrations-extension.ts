import * as z from "zod";
import { serviceName } from "../../release/release-spec.ts";
import type { Findings } from "./findings.ts";
import type { NormalisedService } from "./normalise.ts";

// The descriptions are the reference: docs/reference/compose-extension.md is made from them.

/** `x-ikoma.migrations` at the top of the file. */
export const migrationsExtension = z.strictObject({
  path: z
    .string()
    .min(1)
    .describe(
      "Folder of SQL files named `<digits>_<what it does>.sql`, as Supabase's tools have them: ./supabase/migrations.",
    ),
  database: serviceName
    .optional()
    .describe("The accessory that they are for; without it the only one that is a PostgreSQL server."),
});
export type MigrationsExtension = z.infer<typeof migrationsExtension>;

/** The accessory that an app's migrations are for. What is wrong goes into `findings`. */
export function databaseOf(
  { database }: MigrationsExtension,
  services: ReadonlyMap<string, NormalisedService>,
  findings: Findings,
): string {
  const path = "x-ikoma.migrations.database";
  const accessories = [...services].filter(([, { kind }]) => kind === "accessory");
  if (database !== undefined) {
    const isThere = accessories.some(([name]) => name === database);
    if (!isThere) findings.refuse(path, `${database} is no accessory of the file.`);
    return database;
  }
  const servers = accessories.filter(([, service]) => isPostgres(service)).map(([name]) => name);
  const [only, ...others] = servers;
  if (only !== undefined && others.length === 0) return only;
  const what = only === undefined ? "no accessory is a PostgreSQL server" : `there is ${servers.join(", ")}`;
  findings.refuse(path, `${what}. Name the accessory that the migrations are for.`);
  return only ?? "";
}

/** By its image's name, or the variables of the official image. */
function isPostgres({ image, definition }: NormalisedService): boolean {
  const repository = image.split("@", 1)[0]?.replace(/:[^/]*$/, "") ?? "";
  const name = repository.split("/").at(-1) ?? "";
  const variables = Object.keys(definition.environment ?? {});
  return (
    /^(postgres|postgresql|postgis|pgvector|timescaledb)/.test(name) ||
    variables.some((each) => each.startsWith("POSTGRES_"))
  );
}
