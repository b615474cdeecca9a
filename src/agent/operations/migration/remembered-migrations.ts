import * as z from "zod";
import type { AppliedMigration } from "../../../core/migrations/migration-plan.ts";
import { migrationPhase, migrationVersion } from "../../../core/migrations/migration-spec.ts";
import { serviceName } from "../../../core/release/release-spec.ts";
import type { Host } from "../../host.ts";
import type { KnownMigration } from "./migration-history.ts";

/** What the ledger remembers of an app's database, so that a release can be judged without asking it. */
const remembered = z.strictObject({
  database: serviceName,
  applied: z.array(
    z.strictObject({ version: migrationVersion, name: z.string(), phase: migrationPhase, adopted: z.boolean() }),
  ),
});

/** Keeps what the database has now. */
export function remember(
  host: Pick<Host, "parts">,
  app: string,
  database: string,
  history: readonly KnownMigration[],
): void {
  const applied = history
    .filter(({ state, version }) => state === "applied" && migrationVersion.safeParse(version).success)
    .map(({ version, name, phase = "expand", adopted }) => ({ version, name, phase, adopted }));
  host.parts.set(app, "migration", { database, applied });
}

/** Migrations that the app's database has, as far as the ledger knows. */
export function rememberedMigrations(host: Pick<Host, "parts">, app: string): AppliedMigration[] {
  return host.parts.get(app, "migration", remembered)?.applied ?? [];
}
