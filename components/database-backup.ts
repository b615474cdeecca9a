import { createHash } from "node:crypto";
import * as pulumi from "@pulumi/pulumi";
import { canonicalJson } from "../src/core/canonical-json.ts";
import type { BackupPolicy } from "../src/core/backup/backup-policy.ts";
import { Backup } from "./resources/backup.ts";
import type { HostProvider } from "./resources/host-provider.ts";

export interface DatabaseBackupArgs {
  /** The host that the app runs on. */
  provider: HostProvider;
  /** Name of the app on the host. */
  app: string;
  /** How its database is backed up. */
  policy: BackupPolicy;
  /** Everything that the release to come is. A change of any of it asks for a young backup first. */
  release: Record<string, unknown>;
  /**
   * It is gone back to: that changes no data, and waits for no backup.
   * @default false
   */
  isRollback?: boolean | undefined;
  /** Secret of the access key for copies elsewhere, where the policy asks for them. */
  offsiteSecret?: pulumi.Input<string> | undefined;
}

/**
 * A verified backup of an app's database before a release: what depends on it begins only once there is one. An
 * unchanged deploy asks for none, however old the last one is.
 */
export class DatabaseBackup extends pulumi.ComponentResource {
  readonly backup: Backup;

  constructor(name: string, args: DatabaseBackupArgs, options: pulumi.ComponentResourceOptions = {}) {
    super("ikoma:index:DatabaseBackup", name, {}, options);
    const { app, policy, provider, isRollback } = args;
    const child = { parent: this, provider, ...(options.dependsOn !== undefined && { dependsOn: options.dependsOn }) };
    const offsiteSecret = args.offsiteSecret === undefined ? undefined : pulumi.secret(args.offsiteSecret);
    const release = digestOf(args.release);
    this.backup = new Backup(name, { app, release, isRollback, offsiteSecret, ...policy }, child);
    this.registerOutputs({ newest: this.backup.newest });
  }
}

/** Equal for equal releases; secret as soon as anything in it is. */
function digestOf(release: Record<string, unknown>): pulumi.Output<string> {
  return pulumi.output(release).apply((value) => createHash("sha256").update(canonicalJson(value)).digest("hex"));
}
