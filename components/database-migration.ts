import * as pulumi from "@pulumi/pulumi";
import { factsOf, migrationKey } from "../src/core/migrations/migration-spec.ts";
import type { BundleMigrations, MigrationPolicy } from "../src/core/migrations/migration-spec.ts";
import type { HostProvider } from "./resources/host-provider.ts";
import { Migration } from "./resources/migration.ts";

export interface DatabaseMigrationArgs {
  /** The host that the app runs on. */
  provider: HostProvider;
  /** Name of the app on the host. */
  app: string;
  /** The migrations of its bundle. */
  migrations: BundleMigrations;
  /** Digest of that bundle, and its pinned reference. */
  bundle: { readonly digest: string; readonly reference: string };
  /** How long migrations may wait and work, and how fresh a backup has to be. */
  policy?: MigrationPolicy | undefined;
}

/** The migrations of an app's database: run before its release starts, each file once, in order. */
export class DatabaseMigration extends pulumi.ComponentResource {
  readonly resource: Migration;

  constructor(name: string, args: DatabaseMigrationArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:DatabaseMigration", name, {}, options);
    const { provider, app, migrations, bundle, policy } = args;
    const files = Object.fromEntries(migrations.files.map((file) => [migrationKey(file), factsOf(file)]));
    const { dependsOn } = options;
    this.resource = new Migration(
      name,
      { app, database: migrations.database, files, bundle: bundle.digest, reference: bundle.reference, policy },
      { parent: this, provider, ...(dependsOn !== undefined && { dependsOn }) },
    );
    this.registerOutputs({});
  }
}
