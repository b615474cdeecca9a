import * as z from "zod";
import { signedApproval } from "../core/policies/approval.ts";
import { backupId, backupLevel, backupPolicy } from "../core/backup/backup-policy.ts";
import { migrationCommandSpec } from "../core/migrations/migration-command.ts";
import { migrationFacts, migrationSpec, migrationVersion } from "../core/migrations/migration-spec.ts";
import {
  accessoriesSpec,
  appName,
  bakePolicy,
  digest,
  releaseSpec,
  releaseStrategy,
  siteSpec,
} from "../core/release/release-spec.ts";
import { bundleProof } from "../core/signing/bundle-proof.ts";
import { signatureDemand } from "../core/signing/signature-policy.ts";
import { supabaseQuestion, supabaseView } from "./reading/supabase-view.ts";

/**
 * What the agent and its callers say to each other: JSON-RPC 2.0, one message a line, over the
 * agent's unix socket (reached through SSH or on the host itself).
 *
 * Requests: the keys of {@link methods}. Notifications from the agent: `operation.event`.
 */

/** Raised when an older side could misread a newer one. */
export const protocolVersion = 4;

/** Where the agent listens, on the host. */
export const agentSocketPath = "/var/lib/ikoma/run/agent.sock";

/** A longer line is refused by both sides, in bytes. */
export const maxMessageBytes = 4 * 1024 * 1024;

/** Who asks: shown to whoever has to wait. The lease of a deploy belongs to the `id` (one per process). */
export const holder = z.strictObject({ id: z.string().min(8).max(64), label: z.string().max(200) });
export type Holder = z.infer<typeof holder>;

/** Steps of `release.apply`, in order. The journal holds the last one that was entered. */
export const releasePhases = [
  "accepted",
  "network",
  "starting",
  "yielding",
  "gating",
  "smoking",
  "shifting",
  "rolling",
  "switching",
  "baking",
  "switched",
  "draining",
  "stopping",
] as const;
export type ReleasePhase = (typeof releasePhases)[number];

/** Those of {@link releasePhases} that not every release goes through, and which do. */
export const occasionalPhases: Readonly<Partial<Record<ReleasePhase, string>>> = {
  yielding: "something of the release before must not run beside it (`overlap: false`, `strategy: replace`)",
  shifting: "it gets the requests step by step (`strategy: canary`)",
  rolling: "its replicas take the place of the old ones one after another (`strategy: rolling`)",
};
/** Steps of the operations on backups that may take long; as with those of a release, the journal holds the last one. */
export const backupPhases = ["dumping", "recording", "verifying", "restoring", "swapping"] as const;

export const operationState = z.enum(["running", "succeeded", "failed", "cancelled"]);
export type OperationState = z.infer<typeof operationState>;

/** What went wrong, as it travels. */
export const wireError = z.strictObject({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  details: z.record(z.string(), z.unknown()).default({}),
});
export type WireError = z.infer<typeof wireError>;

/** One thing that happened in an operation. `seq` counts from 1 without gaps. */
export const operationEvent = z.strictObject({
  seq: z.number().int().positive(),
  /** Unix time, milliseconds, of the host. */
  atMs: z.number(),
  type: z.enum(["phase", "step", "log", "warning"]),
  /** Phase or step name, or the service a log line is from. */
  name: z.string(),
  message: z.string(),
});
export type OperationEvent = z.infer<typeof operationEvent>;

/**
 * A drift: where, and what is different on the host. `path` is a property path of the resource. `wanted` and `found`
 * are given where neither can be a secret of the app's environment.
 */
export const drift = z.strictObject({
  path: z.string(),
  message: z.string(),
  wanted: z.string().optional(),
  found: z.string().optional(),
});
export type Drift = z.infer<typeof drift>;

export const serviceStatus = z.strictObject({
  kind: z.string(),
  image: z.string(),
  /** Container state of the engine (running, exited…), or `missing`. */
  state: z.string(),
  healthy: z.boolean(),
  replicas: z.number().int(),
});
export type ServiceStatus = z.infer<typeof serviceStatus>;

/** Something that the agent put right by itself, without being asked. */
export const repair = z.strictObject({ atMs: z.number(), app: appName.optional(), message: z.string() });
export type Repair = z.infer<typeof repair>;

/** A deployment of the ledger. */
export const deployment = z.strictObject({
  number: z.number().int().positive(),
  app: appName,
  version: z.string(),
  bundle: digest,
  /** Keyed digest over the whole release; equal only for equal releases on the same host. */
  digest: z.string(),
  /** `current` serves; `good` served until a later one took over and can be rolled back to. */
  status: z.enum(["started", "current", "good", "failed", "pruned"]),
  startedAtMs: z.number(),
  endedAtMs: z.number().optional(),
  /** Why it failed, or what it was (`rollback to #3`). */
  note: z.string().optional(),
  /** The deployment that it went back to, where it is a rollback. */
  rollbackTo: z.number().int().positive().optional(),
  /** Why it is on the withdrawn list, so that only `redeploy` or a rollback to it brings it back. */
  withdrawn: z.string().optional(),
  /** Who asked for it. */
  by: z.string(),
});
export type Deployment = z.infer<typeof deployment>;

/**
 * What a rollback needs besides the release itself: the app's release configuration as the stack had it
 * (bundle reference, env, health…). Free of secrets.
 */
export const releaseSource = z.record(z.string(), z.unknown());

const none = z.strictObject({});

/** Volumes whose loss is known: made anew, empty. By their names in the compose file or on the host. */
const recreateVolumes = z.array(z.string()).optional();

/** Secret values that must not appear in log lines, probe answers or errors. */
const redact = z.array(z.string()).default([]);

/** Values of the app's secrets by name. */
const secrets = z.record(z.string(), z.string());

/** The deployment whose secrets stand where the specification has markers (core/release/kept-secrets.ts). */
const secretsOf = z.number().int().positive().optional();

/** Go on although the bundle is on the withdrawn list. */
const redeploy = z.boolean().default(false);

/** Versions of the migrations that a bundle knows. */
const knownMigrations = z.array(migrationVersion).optional();

/** A migration that a database has. */
const appliedMigration = migrationFacts
  .pick({ version: true, name: true, phase: true })
  .extend({ adopted: z.boolean() });

/** What staging takes. A host that trusts keys checks the proofs, and keeps them for what is applied later. */
const stageInput = z.strictObject({
  app: appName,
  bundle: digest,
  images: z.array(z.string()).min(1),
  redeploy,
  migrations: knownMigrations,
  /** Of the bundle, and of that of the accessories where it is another one; none for what nobody has signed. */
  proofs: z.array(bundleProof).max(2).optional(),
  /** What the signatures in `proofs` are called: a change of them is a reason to stage again. */
  signatures: z.array(z.string()).optional(),
  /** Why there may be more signatures than came along. */
  signatureProblem: z.string().optional(),
  /** What the app asks for beyond the host's own policy. */
  requireSignature: signatureDemand.optional(),
});

/** Where something is from that is no release, for a host that checks signatures: their bundle, and the values that it was filled with. */
const origin = z.strictObject({ bundle: digest, env: z.record(z.string(), z.string()), secrets }).optional();
/** A backup, as far as it is told outside the host. */
export const backupView = z.strictObject({
  id: backupId,
  service: z.string(),
  database: z.string(),
  reason: z.string(),
  /** Why it stays whatever the rules say. */
  pin: z.string().optional(),
  takenAtMs: z.number(),
  /** Of all its files. */
  bytes: z.number(),
  tables: z.number().int(),
  serverVersion: z.string(),
  deployment: z.number().int().optional(),
  migrationHead: z.string().optional(),
  verified: z.strictObject({ level: backupLevel, atMs: z.number(), restoreMs: z.number().optional() }).optional(),
  failed: z.strictObject({ level: backupLevel, atMs: z.number(), message: z.string() }).optional(),
  damaged: z.strictObject({ atMs: z.number(), message: z.string() }).optional(),
  /** When a copy elsewhere was read back and found whole. */
  offsiteAtMs: z.number().optional(),
});
export type BackupView = z.infer<typeof backupView>;

/** How the backups of an app stand. */
export const backupStatus = z.strictObject({
  /** The newest one that is proven as the policy asks. */
  newestMs: z.number().optional(),
  /** When the host takes the next one by itself. */
  nextMs: z.number().optional(),
  overdueSinceMs: z.number().optional(),
  /** The last run of the schedule, if it failed. */
  lastFailure: z.strictObject({ atMs: z.number(), message: z.string() }).optional(),
  /** Where copies are to be made elsewhere: the newest backup that has one, and the last failure since. */
  offsite: z
    .strictObject({
      newestMs: z.number().optional(),
      lastFailure: z.strictObject({ atMs: z.number(), message: z.string() }).optional(),
    })
    .optional(),
});
export type BackupStatus = z.infer<typeof backupStatus>;

/** Files of a backup, as they are fetched and brought back. */
export const backupFile = z.enum(["dump", "roles", "manifest"]);
export type BackupFileName = z.infer<typeof backupFile>;
/** Of a file of a backup, at once; in base64 it fits into a message. */
export const backupPieceBytes = 1024 * 1024;

const backupResult = z.strictObject({ backup: backupView });

/** Operations that change the host, each with its input and result. */
export const operations = {
  "bundle.stage": {
    input: stageInput,
    result: z.strictObject({
      images: z.array(z.strictObject({ reference: z.string(), id: z.string(), pulled: z.boolean() })),
    }),
  },
  "bundle.remove": { input: z.strictObject({ app: appName }), result: none },
  "accessories.apply": {
    input: z.strictObject({ spec: accessoriesSpec, recreateVolumes, redact, origin }),
    result: z.strictObject({ unchanged: z.boolean(), services: z.record(z.string(), serviceStatus) }),
  },
  /** Stops and removes the containers; volumes stay. */
  "accessories.remove": { input: z.strictObject({ app: appName }), result: none },
  "release.apply": {
    input: z.strictObject({
      spec: releaseSpec,
      source: releaseSource,
      note: z.string().optional(),
      redeploy,
      /** This is a rollback to that deployment: what served after it goes onto the withdrawn list. */
      rollbackTo: z.number().int().positive().optional(),
      keep: z.number().int().min(1).max(50).default(5),
      recreateVolumes,
      bake: bakePolicy.prefault({}),
      strategy: releaseStrategy.optional(),
      redact,
      /** What the release uses, for a later rollback with its secrets. */
      secrets: secrets.optional(),
      secretsOf,
      migrations: knownMigrations,
    }),
    result: z.strictObject({
      number: z.number().int(),
      digest: z.string(),
      /** The same deployment served already: nothing was restarted. */
      unchanged: z.boolean(),
      services: z.record(z.string(), serviceStatus),
    }),
  },
  /** Runs what the database does not have yet. */
  "migration.apply": {
    input: z.strictObject({ spec: migrationSpec, redact }),
    result: z.strictObject({ applied: z.array(z.string()) }),
  },
  /** Runs a program that migrates, unless it has been run. */
  "migration.command": {
    input: z.strictObject({ spec: migrationCommandSpec, redact, origin }),
    result: z.strictObject({ ran: z.boolean() }),
  },
  /** Nothing of the database changes. */
  "migration.remove": { input: z.strictObject({ app: appName }), result: none },
  "release.remove": { input: z.strictObject({ app: appName }), result: none },
  "site.apply": { input: siteSpec, result: none },
  "site.remove": { input: z.strictObject({ app: appName }), result: none },
  /** Goes on only with a proven backup that is young enough, and puts the policy into force. */
  "backup.ensure": {
    input: z.strictObject({
      app: appName,
      policy: backupPolicy,
      offsiteSecret: z.string().optional(),
      /** Puts the policy into force, and goes on with whatever backup there is. */
      isRollback: z.boolean().default(false),
      redact,
    }),
    /** The backup that was gone on with: undefined where none is proven, and none was waited for. */
    result: z.strictObject({ backup: backupView.optional(), isNew: z.boolean() }),
  },
  /** Ends the policy; the backups stay. */
  "backup.remove": { input: z.strictObject({ app: appName }), result: none },
  "backup.take": {
    input: z.strictObject({ app: appName, service: z.string().optional(), level: backupLevel, reason: z.string() }),
    result: backupResult,
  },
  "backup.verify": {
    input: z.strictObject({ app: appName, id: z.string(), level: backupLevel }),
    result: backupResult,
  },
  /** Takes in a backup whose files were brought here, from another server or another time, and proves it. */
  "backup.import": {
    input: z.strictObject({ app: appName, id: z.string(), level: backupLevel }),
    result: backupResult,
  },
  /** Keeps it whatever the rules say, or, with null, no longer. */
  "backup.pin": {
    input: z.strictObject({ app: appName, id: z.string(), pin: z.string().nullable() }),
    result: backupResult,
  },
  /** Puts the database of a backup in the place of the one there is, which is kept under another name. */
  "backup.restore": {
    input: z.strictObject({ app: appName, id: z.string() }),
    result: backupResult.extend({ safety: backupView, database: z.string(), kept: z.string() }),
  },
  /** Deletes for good what a removed app left: these volumes with their data, its images, its history. */
  "app.purge": {
    input: z.strictObject({ app: appName, volumes: z.array(z.string()) }),
    result: z.strictObject({ volumes: z.array(z.string()), images: z.number().int(), deployments: z.number().int() }),
  },
} as const;
export type OperationKind = keyof typeof operations;
export type OperationInput<K extends OperationKind> = z.infer<(typeof operations)[K]["input"]>;
export type OperationResult<K extends OperationKind> = z.infer<(typeof operations)[K]["result"]>;
export const operationKind = z.enum(Object.keys(operations) as [OperationKind, ...OperationKind[]]);

/** What `part.read` holds a release against. */
export const expectedRelease = releaseSpec.extend({ secretsOf });

/** The resource of an app that an operation changes; each has its own generation. */
export const part = z.enum(["bundle", "accessories", "backup", "migration", "release", "site"]);
export type Part = z.infer<typeof part>;

export const handshakeResult = z.strictObject({
  protocol: z.number().int(),
  agentVersion: z.string(),
  engineVersion: z.string(),
  composeVersion: z.string(),
  edgeVersion: z.string(),
  phases: z.array(z.string()),
  apps: z.array(z.string()),
  diskFreeBytes: z.number(),
  clockMs: z.number(),
  memoryBytes: z.number(),
});
export type Handshake = z.infer<typeof handshakeResult>;

const operationView = z.strictObject({
  key: z.string(),
  kind: operationKind,
  app: appName,
  state: operationState,
  phase: z.string(),
  /** Result by kind when succeeded; see {@link operations}. */
  result: z.unknown().optional(),
  error: wireError.optional(),
  /** Generation of the part after the operation. */
  generation: z.number().int().optional(),
});
export type OperationView = z.infer<typeof operationView>;

/** What stands on the host for a part of an app, read from containers and edge, held against what the caller expects. */
const partView = z.strictObject({
  exists: z.boolean(),
  generation: z.number().int(),
  drift: z.array(drift),
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

/** Every request, with the schemas of what it takes and gives. */
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
  /** How the parts of a self-hosted Supabase are; an older agent does not know it. */
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

/** Sent by the agent to whoever is attached to the operation. */
export const eventNotification = z.strictObject({ key: z.string(), event: operationEvent });
export type EventNotification = z.infer<typeof eventNotification>;

export const rpcRequest = z.strictObject({
  jsonrpc: z.literal("2.0"),
  id: z.number().int(),
  method: z.string(),
  params: z.unknown(),
});
export const rpcMessage = z.union([
  z.strictObject({ jsonrpc: z.literal("2.0"), id: z.number().int(), result: z.unknown() }),
  z.strictObject({
    jsonrpc: z.literal("2.0"),
    id: z.number().int(),
    error: z.strictObject({ code: z.number().int(), message: z.string(), data: wireError.optional() }),
  }),
  z.strictObject({ jsonrpc: z.literal("2.0"), method: z.literal("operation.event"), params: eventNotification }),
]);
