import * as z from "zod";
import { bundleMigrationCommand } from "../migrations/migration-command.ts";
import { bundleMigrations } from "../migrations/migration-spec.ts";
import {
  appName,
  healthProbe,
  hook,
  releaseStrategy,
  route,
  serviceFiles,
  serviceKind,
  serviceName,
  smokeCheck,
  volumeSpec,
} from "../release/release-spec.ts";

/** A compose service as the bundle keeps it: normalised, its image by digest, `${…}` left as it was. */
export const bundleService = z.strictObject({
  kind: serviceKind,
  /** Why it was given that kind, for people. */
  reason: z.string(),
  /** Of a job that runs by itself. */
  hook: hook.optional(),
  /** False for a worker of which two releases must never run at once. */
  overlap: z.literal(false).optional(),
  definition: z.looseObject({
    image: z.string().regex(/@sha256:[0-9a-f]{64}$/),
    /** Values may hold `${NAME}`; never null (a name without value becomes `${NAME}`). */
    environment: z.record(z.string(), z.string()).optional(),
    /** Secrets and configurations as files; contents may hold `${NAME}`. */
    files: serviceFiles.optional(),
  }),
});
export type BundleService = z.infer<typeof bundleService>;

/** A variable that the compose file asks for. Without `default` it must be given by the environment. */
export const bundleVariable = z.strictObject({
  name: z.string(),
  required: z.boolean(),
  default: z.string().optional(),
});

/** Everything that a release is made from, for every environment alike: immutable, and known by its digest. */
export const bundleManifest = z.strictObject({
  apiVersion: z.literal("ikoma.dev/v1"),
  kind: z.literal("Bundle"),
  app: appName,
  version: z.string().min(1).max(128),
  source: z.strictObject({ commit: z.string().optional(), repository: z.string().optional() }).optional(),
  services: z.record(serviceName, bundleService),
  volumes: z.record(z.string(), volumeSpec).default({}),
  routes: z.array(route).default([]),
  smoke: z.array(smokeCheck).default([]),
  health: healthProbe.optional(),
  drainSeconds: z.number().min(0).max(3600).optional(),
  strategy: releaseStrategy.optional(),
  variables: z.array(bundleVariable).default([]),
  migrations: bundleMigrations.optional(),
  migrationCommand: bundleMigrationCommand.optional(),
});
export type BundleManifest = z.infer<typeof bundleManifest>;
