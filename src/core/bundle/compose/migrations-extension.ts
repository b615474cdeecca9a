import * as z from "zod";
import { bundleMigrationCommand } from "../../migrations/migration-command.ts";
import { hookTimeoutSeconds, serviceName } from "../../release/release-spec.ts";
import type { BundleManifest } from "../manifest.ts";
import type { Findings } from "./findings.ts";
import { imageName } from "./image-name.ts";
import type { NormalisedService } from "./normalise.ts";

// The descriptions are the reference: docs/reference/compose-extension.md is made from them.

/** `x-ikoma.migrations` at the top of the file. */
export const migrationsExtension = z.strictObject({
  path: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Folder of SQL files named `<digits>_<what it does>.sql`, as Supabase's tools have them: ./supabase/migrations.",
    ),
  database: serviceName
    .optional()
    .describe(
      "The accessory that they are for; without it the only one that is a PostgreSQL server. Where there is none, each environment says where the database is (`database` of the app's settings).",
    ),
  command: z
    .array(z.string())
    .min(1)
    .optional()
    .describe(
      "In place of `path`: a program of the app's own image that migrates by itself, such as `[npx, prisma, migrate, deploy]`. It is run once for each bundle.",
    ),
  service: serviceName
    .optional()
    .describe("The service whose image, environment and files `command` is run with; without it the only web service."),
  timeoutSeconds: hookTimeoutSeconds.optional().describe("How long `command` may take, in seconds; without it 600."),
});
export type MigrationsExtension = z.infer<typeof migrationsExtension>;

type Services = ReadonlyMap<string, NormalisedService>;

const at = "x-ikoma.migrations";

/** What a bundle is to do about a database, before the files are read. What is wrong goes into `findings`. */
export function migrationPlanOf(
  extension: MigrationsExtension,
  services: Services,
  findings: Findings,
): { folder?: string; database?: string | undefined; migrationCommand?: BundleManifest["migrationCommand"] } {
  const { path, database, command, service, timeoutSeconds } = extension;
  if ((path === undefined) === (command === undefined))
    findings.refuse(at, "it takes a `path` to SQL files, or a `command`: one of them.");
  if (path === undefined ? database !== undefined : service !== undefined || timeoutSeconds !== undefined)
    findings.refuse(at, "`database` goes with a `path`; `service` and `timeoutSeconds` go with a `command`.");
  if (path !== undefined) return { folder: path, database: databaseOf(database, services, findings) };
  if (command === undefined) return {};
  const owner = commandService(service, services, findings);
  return { migrationCommand: bundleMigrationCommand.parse({ service: owner, command, timeoutSeconds }) };
}

/** The accessory that an app's SQL files are for; undefined where only the environment can say it. */
function databaseOf(database: string | undefined, services: Services, findings: Findings): string | undefined {
  const path = `${at}.database`;
  const accessories = [...services].filter(([, { kind }]) => kind === "accessory");
  if (database !== undefined) {
    const isThere = accessories.some(([name]) => name === database);
    if (!isThere) findings.refuse(path, `${database} is no accessory of the file.`);
    return database;
  }
  const servers = accessories.filter(([, service]) => isPostgres(service)).map(([name]) => name);
  const [only, ...others] = servers;
  if (others.length > 0)
    findings.refuse(path, `there is ${servers.join(", ")}. Name the accessory that the migrations are for.`);
  return only;
}

/** The service of the release that a program is run in. */
function commandService(service: string | undefined, services: Services, findings: Findings): string {
  const own = [...services].filter(([, { kind }]) => kind !== "accessory").map(([name]) => name);
  const webs = own.filter((name) => services.get(name)?.kind === "web");
  const [only, ...others] = service === undefined ? webs : own.filter((name) => name === service);
  if (only !== undefined && others.length === 0) return only;
  const what = service === undefined ? "there is not just one web service" : `${service} is no service of the release`;
  findings.refuse(`${at}.service`, `${what}. Name the service whose image has the program: ${own.join(", ")}.`);
  return "web";
}

/** By its image's name, or the variables of the official image. */
function isPostgres({ image, definition }: NormalisedService): boolean {
  const variables = Object.keys(definition.environment ?? {});
  return (
    /^(postgres|postgresql|postgis|pgvector|timescaledb)/.test(imageName(image)) ||
    variables.some((each) => each.startsWith("POSTGRES_"))
  );
}
