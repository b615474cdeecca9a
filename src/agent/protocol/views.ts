import * as z from "zod";
import { appName, digest } from "../../core/release/release-spec.ts";

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
