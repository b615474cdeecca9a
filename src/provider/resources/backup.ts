import * as z from "zod";
import { backupPolicy } from "../../core/backup/backup-policy.ts";
import type { BackupPolicy } from "../../core/backup/backup-policy.ts";
import { appName } from "../../core/release/release-spec.ts";
import { appPart, newestBackup } from "./app-part.ts";

const inputs = backupPolicy.extend({
  app: appName,
  /** Changes with what is to be deployed: the reason to look for a young backup (docs/adr/0016). */
  release: z.string(),
  /** It is gone back to: no backup is waited for. */
  isRollback: z.boolean().default(false),
  /** Secret of the access key for copies elsewhere. */
  offsiteSecret: z.string().optional(),
});

function policyOf(given: z.infer<typeof inputs>): BackupPolicy {
  return backupPolicy.strip().parse(given);
}

/** A proven backup of an app's database before a release, and the policy by which its host takes more. */
export const backup = appPart({
  token: "ikoma:data:Backup",
  part: "backup",
  inputs,
  silent: ["isRollback"],
  apply: "backup.ensure",
  remove: "backup.remove",
  app: ({ app }) => app,
  operation: (given, { redact }) => ({
    app: given.app,
    policy: policyOf(given),
    isRollback: given.isRollback,
    redact,
    ...(given.offsiteSecret !== undefined && { offsiteSecret: given.offsiteSecret }),
  }),
  expected: policyOf,
  computed: ({ backup: newest }) => (newest === undefined ? {} : { newest: newestBackup(newest) }),
});
