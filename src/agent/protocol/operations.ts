import * as z from "zod";
import { backupLevel, backupPolicy } from "../../core/backup/backup-policy.ts";
import { migrationCommandSpec } from "../../core/migrations/migration-command.ts";
import { migrationSpec, migrationVersion } from "../../core/migrations/migration-spec.ts";
import {
  accessoriesSpec,
  appName,
  bakePolicy,
  digest,
  releaseSpec,
  releaseStrategy,
  siteSpec,
} from "../../core/release/release-spec.ts";
import { bundleProof } from "../../core/signing/bundle-proof.ts";
import { signatureDemand } from "../../core/signing/signature-policy.ts";
import { backupView } from "./backup-views.ts";
import { releaseSource, serviceStatus } from "./views.ts";
import { wireError } from "./wire.ts";

/** Who asks: shown to whoever has to wait. The lease of a deploy belongs to the `id` (one per process). */
export const holder = z.strictObject({ id: z.string().min(8).max(64), label: z.string().max(200) });
export type Holder = z.infer<typeof holder>;

export const operationState = z.enum(["running", "succeeded", "failed", "cancelled"]);
export type OperationState = z.infer<typeof operationState>;

export const none = z.strictObject({});

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

/** What staging takes. A host that trusts keys checks the proofs, and keeps them for what is applied later. */
export const stageInput = z.strictObject({
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

export const operationView = z.strictObject({
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
