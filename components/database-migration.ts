import * as pulumi from "@pulumi/pulumi";
import type { BundleManifest } from "../src/core/bundle/manifest.ts";
import { readDatabaseUrl, targetOf } from "../src/core/database/database-url.ts";
import type { DatabaseSettings } from "../src/core/database/remote-database.ts";
import { factsOf, migrationKey } from "../src/core/migrations/migration-spec.ts";
import type { BundleMigrations, MigrationPolicy } from "../src/core/migrations/migration-spec.ts";
import type { HostProvider } from "./resources/host-provider.ts";
import { Migration, type RemoteDatabaseArgs } from "./resources/migration.ts";
import { MigrationCommand, type MigrationCommandArgs } from "./resources/migration-command.ts";

/** A program of a bundle that migrates, and the service that it is run with. */
type RunnableCommand = NonNullable<BundleManifest["migrationCommand"]> &
  Pick<MigrationCommandArgs, "definition" | "volumes" | "secrets" | "env">;

export interface DatabaseMigrationArgs {
  /** The host that the app runs on. */
  provider: HostProvider;
  /** Name of the app on the host. */
  app: string;
  /** The SQL files of its bundle. */
  migrations?: BundleMigrations | undefined;
  /** The database that they are for, where it is no accessory; its URL is secret as a whole. */
  remote?: (Omit<DatabaseSettings, "url"> & { url: pulumi.Input<string> }) | undefined;
  /** In place of files: the program of its own image that migrates. */
  command?: RunnableCommand | undefined;
  /** Digest of that bundle, and its pinned reference. */
  bundle: { readonly digest: string; readonly reference: string };
  /** How long migrations may wait and work, and how fresh a backup has to be. */
  policy?: MigrationPolicy | undefined;
  /**
   * The same program makes sure of a backup before.
   * @default false
   */
  isBackedUp?: boolean | undefined;
}

/** The migrations of an app's database, run before its release starts: each file once, in order, or a program of the app's. */
export class DatabaseMigration extends pulumi.ComponentResource {
  readonly resources: readonly pulumi.CustomResource[];

  constructor(name: string, args: DatabaseMigrationArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:DatabaseMigration", name, {}, options);
    const { dependsOn } = options;
    const child = { parent: this, provider: args.provider, ...(dependsOn !== undefined && { dependsOn }) };
    const { migrations, command } = args;
    this.resources = [
      ...(migrations === undefined ? [] : [new Migration(name, filesOf(args, migrations), child)]),
      ...(command === undefined ? [] : [new MigrationCommand(name, commandOf(args, command), child)]),
    ];
    this.registerOutputs({});
  }
}

function filesOf(args: DatabaseMigrationArgs, { database, files }: BundleMigrations) {
  const { app, bundle, policy, isBackedUp } = args;
  const facts = Object.fromEntries(files.map((file) => [migrationKey(file), factsOf(file)]));
  const remote = args.remote && remoteOf(args.remote);
  return {
    app,
    database,
    remote,
    files: facts,
    bundle: bundle.digest,
    reference: bundle.reference,
    policy,
    isBackedUp,
  };
}

/** Where a URL leads to is shown in plans; a URL that is known already is refused before anything is registered. */
function remoteOf({ url, caCert, identity }: NonNullable<DatabaseMigrationArgs["remote"]>): RemoteDatabaseArgs {
  const told = (text: string) => targetOf(readDatabaseUrl(text, caCert !== undefined));
  const target = typeof url === "string" ? told(url) : pulumi.unsecret(pulumi.output(url).apply(told));
  return { url: pulumi.secret(url), caCert, identity, environment: pulumi.getStack(), target };
}

function commandOf({ app, bundle }: DatabaseMigrationArgs, command: RunnableCommand): MigrationCommandArgs {
  return { app, bundle: bundle.digest, ...command };
}
