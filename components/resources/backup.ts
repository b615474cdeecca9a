import * as pulumi from "@pulumi/pulumi";
import type { BackupPolicy } from "../../src/core/backup/backup-policy.ts";

export interface BackupArgs {
  /** The app whose database it is. */
  app: pulumi.Input<string>;
  /** Changes with what is to be deployed; each change asks for a backup that is young enough. */
  release: pulumi.Input<string>;
  /** No backup is waited for: what is gone back to changes no data. */
  isRollback?: pulumi.Input<boolean> | undefined;
  /** Service of the database; without it the only PostgreSQL among the accessories. */
  database?: pulumi.Input<string> | undefined;
  /** Largest age of the backup that a deploy goes on with, in minutes. */
  maxAgeMinutes: pulumi.Input<number>;
  /** How far a backup is verified before it counts. */
  level: pulumi.Input<BackupPolicy["level"]>;
  /** When the host takes one by itself. */
  schedule?: pulumi.Input<string> | undefined;
  /** Of the schedule, and of the days that `keep` counts. */
  timeZone: pulumi.Input<string>;
  /** Where the newest verified backup is copied to, encrypted. */
  offsite?: pulumi.Input<NonNullable<BackupPolicy["offsite"]>> | undefined;
  /** Secret of the access key for that; a secret itself. */
  offsiteSecret?: pulumi.Input<string> | undefined;
  /** Which of the verified backups stay. */
  keep: pulumi.Input<BackupPolicy["keep"]>;
}

/** The newest verified backup, as the host has it. */
export interface NewestBackup {
  id: string;
  /** Unix time of its snapshot, in milliseconds. */
  takenAtMs: number;
  level?: string;
}

/** A verified backup of an app's database, and the policy for more of them. Deleting it keeps the backups. */
export class Backup extends pulumi.CustomResource {
  declare readonly newest: pulumi.Output<NewestBackup>;

  constructor(name: string, args: BackupArgs, options: pulumi.CustomResourceOptions) {
    super("ikoma:data:Backup", name, { ...args, newest: undefined }, options);
  }
}
