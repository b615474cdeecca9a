import * as pulumi from "@pulumi/pulumi";
import type { DatabaseTarget, RemoteDatabase } from "../../src/core/database/remote-database.ts";
import type { MigrationFacts, MigrationPolicy } from "../../src/core/migrations/migration-spec.ts";

/** A database that a URL leads to, and where that is, for plans. */
export type RemoteDatabaseArgs = {
  [K in keyof RemoteDatabase]: pulumi.Input<NonNullable<RemoteDatabase[K]>> | undefined;
} & {
  target: pulumi.Input<DatabaseTarget>;
};

export interface MigrationArgs {
  /** The app whose database it is. */
  app: pulumi.Input<string>;
  /** The accessory that is the database, where `remote` is not given. */
  database?: pulumi.Input<string> | undefined;
  /** The database, where it is no accessory. Another password in its URL is no change. */
  remote?: RemoteDatabaseArgs | undefined;
  /** What is known of each file, by its name without the ending. */
  files: pulumi.Input<Record<string, MigrationFacts>>;
  /** Digest of the bundle that has their texts. */
  bundle: pulumi.Input<string>;
  /** Where that bundle is read from. */
  reference: pulumi.Input<string>;
  /**
   * How long migrations may wait and work, and how fresh a backup has to be.
   * @default 5 s for a lock, 15 min for a statement, 60 min for a backup
   */
  policy?: pulumi.Input<MigrationPolicy> | undefined;
  /**
   * The same program makes sure of a backup before.
   * @default false
   */
  isBackedUp?: pulumi.Input<boolean> | undefined;
}

/** A database brought to at least these migrations. Nothing is ever undone: deleting it leaves the database as it is. */
export class Migration extends pulumi.CustomResource {
  /** Files that the last change ran. */
  declare readonly applied: pulumi.Output<string[]>;

  constructor(name: string, args: MigrationArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:data:Migration", name, { ...args, applied: undefined }, options);
  }
}
