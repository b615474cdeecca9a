import * as z from "zod";
import { inOrder, type AppliedMigration } from "../../../core/migrations/migration-plan.ts";
import { migrationPhase, migrationVersion } from "../../../core/migrations/migration-spec.ts";
import type { Host } from "../../host.ts";
import type { KnownMigration } from "./migration-history.ts";

/** Programs that migrate are remembered by their keys, so many. */
const mostCommands = 200;

/** What the ledger remembers of an app's database, so that a release can be judged without asking it. */
const remembered = z.strictObject({
  applied: z.array(
    z.strictObject({ version: migrationVersion, name: z.string(), phase: migrationPhase, adopted: z.boolean() }),
  ),
  /** Identity of the database that has them, where it is no accessory. */
  database: z.string().optional(),
  /** Keys of the programs that were run, the newest last. */
  commands: z.array(z.string()),
});
type Remembered = z.infer<typeof remembered>;
type Ledger = Pick<Host, "parts">;

/** Keeps what the database has now. `database`: its identity, of one that is no accessory. */
export function remember(host: Ledger, app: string, history: readonly KnownMigration[], database?: string): void {
  const applied = history
    .filter(({ state, version }) => state === "applied" && migrationVersion.safeParse(version).success)
    .map(({ version, name, phase = "expand", adopted }) => ({ version, name, phase, adopted }));
  const { commands } = memoryOf(host, app);
  host.parts.set(app, "migration", { applied, commands, ...(database !== undefined && { database }) });
}

/** Heads of the migrations of a database around a restore, and whether the release that serves came after the backup. */
interface RestoredTo {
  readonly before: string | undefined;
  readonly after: string | undefined;
  readonly isOlderThanRelease: boolean;
}

/**
 * After a restore: what was run since the backup is to be run again, and keeps nobody from going back. Another database of
 * the app, which has another head, changes nothing of it.
 */
export function rememberRestored(host: Ledger, app: string, { before, after, isOlderThanRelease }: RestoredTo): void {
  const known = host.parts.get(app, "migration", remembered);
  if (known === undefined) return;
  const isAccessory = known.database === undefined && before !== undefined;
  const isMigrated = isAccessory && inOrder(known.applied).at(-1)?.version === before;
  const applied = isMigrated
    ? known.applied.filter(({ version }) => after !== undefined && version <= after)
    : known.applied;
  const commands = isOlderThanRelease ? [] : known.commands;
  host.parts.set(app, "migration", { ...known, applied, commands });
}

/** Migrations that the app's database has, as far as the ledger knows. */
export function rememberedMigrations(host: Ledger, app: string): AppliedMigration[] {
  return memoryOf(host, app).applied;
}

/** Identity of the database that had the app's migrations last; undefined for an accessory, and for none. */
export function rememberedDatabase(host: Ledger, app: string): string | undefined {
  return memoryOf(host, app).database;
}

/** The same as a history, for a database that cannot be asked. */
export function rememberedHistory(host: Ledger, app: string): KnownMigration[] {
  return memoryOf(host, app).applied.map((each) => ({ ...each, sha256: undefined, state: "applied" }));
}

/** Keeps that a program was run. */
export function rememberRun(host: Ledger, app: string, key: string): void {
  const known = memoryOf(host, app);
  host.parts.set(app, "migration", { ...known, commands: [...known.commands, key].slice(-mostCommands) });
}

/** Whether it was run, as far as the ledger knows. */
export function hasRun(host: Ledger, app: string, key: string): boolean {
  return memoryOf(host, app).commands.includes(key);
}

function memoryOf(host: Ledger, app: string): Remembered {
  return host.parts.get(app, "migration", remembered) ?? { applied: [], commands: [] };
}
