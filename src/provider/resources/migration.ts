import * as z from "zod";
import { readBundle } from "../../core/bundle/bundle-store.ts";
import { readDatabaseUrl } from "../../core/database/database-url.ts";
import { databaseTarget, remoteDatabase } from "../../core/database/remote-database.ts";
import { IkomaError } from "../../core/errors.ts";
import { inOrder } from "../../core/migrations/migration-plan.ts";
import { expectedMigrations, migrationFacts } from "../../core/migrations/migration-spec.ts";
import type { ExpectedMigrations, MigrationFile } from "../../core/migrations/migration-spec.ts";
import { digest } from "../../core/release/release-spec.ts";
import { fromWire } from "../../core/transport/rpc-channel.ts";
import type { ResourceHandler } from "../resource-handler.ts";
import { appPart } from "./app-part.ts";

const inputs = expectedMigrations.extend({
  /** By the file's name, so that a plan shows file by file what comes. Their texts stay in the bundle. */
  files: z.record(z.string(), migrationFacts),
  /** The bundle that has the texts, and how it is read. */
  bundle: digest,
  reference: z.string(),
  /** Where its URL leads to is for plans to show. */
  remote: remoteDatabase.extend({ target: databaseTarget }).optional(),
});
type Inputs = z.infer<typeof inputs>;

function expectedOf({ app, database, remote, files, policy, isBackedUp }: Inputs): ExpectedMigrations {
  return {
    app,
    ...(database !== undefined && { database }),
    ...(remote !== undefined && { remote: remoteDatabase.strip().parse(remote) }),
    files: inOrder(Object.values(files)),
    policy,
    isBackedUp,
  };
}

/** The password goes by itself too: a server may quote it alone. */
function passwordsOf({ remote }: Inputs): string[] {
  const password = remote && readDatabaseUrl(remote.url).password;
  return password === undefined ? [] : [password];
}

/** From the cache, where the program that planned this has put it. */
async function filesOf({ bundle, reference }: Inputs): Promise<MigrationFile[]> {
  const read = await readBundle(reference);
  if (read.digest === bundle) return read.manifest.migrations?.files ?? [];
  throw new IkomaError("BUNDLE_INVALID", `${reference} has the digest ${read.digest}, not ${bundle}.`);
}

const part = appPart({
  token: "ikoma:data:Migration",
  part: "migration",
  inputs,
  silent: ["bundle", "reference", "policy", "isBackedUp"],
  apply: "migration.apply",
  remove: "migration.remove",
  app: ({ app }) => app,
  operation: async (given, { redact }) => ({
    spec: { ...expectedOf(given), bundle: given.bundle, files: await filesOf(given) },
    redact: [...redact, ...passwordsOf(given)],
  }),
  expected: expectedOf,
  computed: ({ applied }) => ({ applied }),
});

/** How to log in to the database. */
const login = ["url", "caCert"] as const;

/** What a database is to have been given. Deleting it, and files that are no more, change nothing there. */
export const migration: ResourceHandler<typeof inputs> = {
  ...part,
  reachedBy: login.map((name) => ["remote", name] as const),

  /**
   * A file that was run stays run, and what the lint says of it later changes nothing. Nor does how to log in to the
   * same database.
   */
  isChange({ path, kind }) {
    if (path[0] === "remote") return !login.some((name) => name === path[1]);
    if (path[0] !== "files" || path.length < 2) return true;
    return path.length === 2 ? kind !== "delete" : path[2] === "sha256";
  },

  /** What would be refused is refused before anything is changed. */
  async plan(call, given) {
    const agent = await call.host.agent();
    const { migrations } = await agent.call("part.read", {
      app: given.app,
      part: "migration",
      expected: expectedOf(given),
    });
    const isToCome = given.isBackedUp && migrations?.refusal?.code === "MIGRATION_BACKUP_MISSING";
    if (migrations?.refusal !== undefined && !isToCome) throw fromWire(migrations.refusal, migrations.refusal.message);
  },
};
