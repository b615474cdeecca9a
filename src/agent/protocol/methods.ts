import * as z from "zod";
import { backupPolicy } from "../../core/backup/backup-policy.ts";
import { migrationFacts } from "../../core/migrations/migration-spec.ts";
import { signedApproval } from "../../core/policies/approval.ts";
import { appName } from "../../core/release/release-spec.ts";
import { supabaseQuestion, supabaseView } from "./supabase-view.ts";
import { backupFile, backupStatus, backupView } from "./backup-views.ts";
import { holder, none, operationKind, operationView, part, stageInput } from "./operations.ts";
import { deployment, drift, handshakeResult, releaseSource, repair, serviceStatus } from "./views.ts";
import { wireError } from "./wire.ts";

/** A migration that a database has. */
const appliedMigration = migrationFacts
  .pick({ version: true, name: true, phase: true })
  .extend({ adopted: z.boolean() });

/** What stands on the host for a part of an app, read from containers and edge, held against what the caller expects. */
const partView = z.strictObject({
  exists: z.boolean(),
  generation: z.number().int(),
  drift: z.array(drift),
  /** Migration only: why its database could not be looked at, where that is no drift. */
  unread: wireError.optional(),
  services: z.record(z.string(), serviceStatus).default({}),
  /** Release only: what the edge really serves, and its deployment number and digest. */
  number: z.number().int().optional(),
  digest: z.string().optional(),
  /** Migration only, each by its file's name: what the database has, what would be run, what the files do not know. */
  migrations: z
    .strictObject({
      applied: z.array(z.string()),
      pending: z.array(z.string()),
      staying: z.array(z.string()),
      /** Why it would not be run. */
      refusal: wireError.optional(),
    })
    .optional(),
  /** Backup only: the newest one that is proven as the policy asks. */
  backup: backupView.optional(),
});
export type PartView = z.infer<typeof partView>;

/**
 * Every request, with the schemas of what it takes and gives. Agent and callers speak JSON-RPC 2.0, one message a line,
 * over the agent's unix socket (reached through SSH, through the API, or on the host itself); `operation.event` is the
 * one notification.
 */
export const methods = {
  handshake: {
    params: z.strictObject({ protocol: z.number().int(), client: z.string() }),
    result: handshakeResult,
  },
  /** Idempotent by `key`: a repeat attaches to the operation that is under way, or gets its result. */
  "operation.start": {
    params: z.strictObject({
      key: z.string().min(16).max(128),
      kind: operationKind,
      input: z.unknown(),
      /** Compare-and-swap; null only where the caller knows nothing (adoption). */
      expectedGeneration: z.number().int().nullable(),
      holder,
    }),
    result: operationView,
  },
  /** Events after `after` follow as notifications; answers when the operation has ended. */
  "operation.attach": {
    params: z.strictObject({ key: z.string(), after: z.number().int().default(0) }),
    result: operationView,
  },
  "operation.cancel": { params: z.strictObject({ key: z.string() }), result: none },
  /** `expected` is the input that the caller believes in (schema by part); null reads without comparing. */
  "part.read": {
    params: z.strictObject({ app: appName, part, expected: z.unknown().nullable() }),
    result: partView,
  },
  /**
   * Whether the host would stage this, as far as signatures go; changes nothing. `isKnownEnough`: what the host has run
   * already need not be signed. Throws BUNDLE_UNSIGNED and BUNDLE_SIGNATURE_INVALID.
   */
  "bundle.check": { params: z.strictObject({ stage: stageInput, isKnownEnough: z.boolean() }), result: none },
  "app.history": {
    params: z.strictObject({ app: appName, limit: z.number().int().min(1).max(500).default(20) }),
    result: z.strictObject({ deployments: z.array(deployment) }),
  },
  /** What a rollback to this deployment needs. */
  "app.deployment": {
    params: z.strictObject({ app: appName, number: z.number().int() }),
    result: z.strictObject({ deployment, source: releaseSource }),
  },
  /** Migrations of the app's database that a deployment does not know: those that it cannot live with, and others. */
  "app.migrations": {
    params: z.strictObject({ app: appName, number: z.number().int() }),
    result: z.strictObject({ breaking: z.array(appliedMigration), staying: z.array(appliedMigration) }),
  },
  /** The secrets that a deployment had, by name; `isCurrent` where what serves now has the same value. */
  "app.secrets": {
    params: z.strictObject({ app: appName, number: z.number().int() }),
    result: z.strictObject({ secrets: z.array(z.strictObject({ name: z.string(), isCurrent: z.boolean() })) }),
  },
  /** Keeps a signed approval of a plan for whoever applies it; the host itself believes none. */
  "approvals.add": { params: z.strictObject({ app: appName, approval: signedApproval }), result: none },
  "approvals.list": {
    params: z.strictObject({ app: appName }),
    result: z.strictObject({ approvals: z.array(signedApproval) }),
  },
  /** How the parts of a self-hosted Supabase are. */
  "supabase.read": { params: supabaseQuestion, result: supabaseView },
  /** What a removed app has left on the host; `standing` names what is not removed yet. */
  "app.leftovers": {
    params: z.strictObject({ app: appName }),
    result: z.strictObject({
      standing: z.array(z.string()),
      volumes: z.array(
        z.strictObject({
          name: z.string(),
          /** Undefined where the engine cannot tell. */
          bytes: z.number().optional(),
          /** What keeps it from being deleted: it was not made for the app, or something uses it. */
          kept: z.string().optional(),
        }),
      ),
      images: z.array(z.string()),
      deployments: z.number().int(),
      /** Stay in any case: whoever purges by mistake needs them. */
      backups: z.number().int(),
    }),
  },
  /** The backups of an app, the oldest first; `unreadable` are those whose manifest is gone or bad. */
  "backup.list": {
    params: z.strictObject({ app: appName }),
    result: z.strictObject({
      backups: z.array(backupView),
      unreadable: z.array(z.string()),
      policy: backupPolicy.optional(),
      status: backupStatus,
    }),
  },
  /** A piece of a backup's file, with what the whole of it is. */
  "backup.read": {
    params: z.strictObject({ app: appName, id: z.string(), file: backupFile, offset: z.number().int().min(0) }),
    result: z.strictObject({ data: z.base64(), bytes: z.number().int(), sha256: z.string() }),
  },
  /** Writes a piece of a file of a backup that is brought here; `backup.import` makes one of them. */
  "backup.write": {
    params: z.strictObject({
      app: appName,
      id: z.string(),
      file: backupFile,
      offset: z.number().int().min(0),
      data: z.base64(),
    }),
    result: none,
  },
  /**
   * A successor on this host asks for its turn. Answered once nothing is under way; until this connection ends, what
   * would change the host then waits. Throws DEPLOY_IN_PROGRESS.
   */
  "agent.yield": { params: none, result: none },
  /** Images, by digest, that anything on the host runs, is staged with or can be rolled back to. */
  "images.needed": { params: none, result: z.strictObject({ images: z.array(z.string()) }) },
  "app.status": {
    params: none,
    result: z.strictObject({
      apps: z.array(
        z.strictObject({
          app: appName,
          current: deployment.optional(),
          /** What is not known of it since a ledger that was lost was rebuilt, for people. */
          rebuilt: z.string().optional(),
          services: z.record(z.string(), serviceStatus),
          operation: z.strictObject({ kind: operationKind, phase: z.string(), by: z.string() }).optional(),
          /** Where a policy for its backups is in force. */
          backup: backupStatus.optional(),
        }),
      ),
      /** Since the agent was started, the newest last. */
      repairs: z.array(repair).default([]),
    }),
  },
} as const;
export type Method = keyof typeof methods;
export type Params<M extends Method> = z.input<(typeof methods)[M]["params"]>;
export type Result<M extends Method> = z.infer<(typeof methods)[M]["result"]>;
