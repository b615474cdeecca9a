import * as z from "zod";
import { appName, bakePolicy, healthProbe, smokeCheck } from "../deployer/release-spec.ts";

/** How to reach a host. Written by `ikoma host trust`. */
export const hostConfig = z.strictObject({
  /** Name or address that SSH connects to. */
  address: z.string().min(1),
  port: z.number().int().min(1).max(65535).default(22),
  /** root, or a member of the group docker. */
  user: z.string().min(1).default("root"),
  /** The server's public key, as `ssh-ed25519 AAAA…`; connections to any other key are refused. */
  hostKey: z
    .string()
    .regex(/^(ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa) [A-Za-z0-9+/=]+$/, "`type base64`, as in a known_hosts file"),
  /** Private key file; without it the SSH agent and the usual files of ~/.ssh are tried. */
  identityFile: z.string().optional(),
});
export type HostConfig = z.infer<typeof hostConfig>;

/** What is set up on a host by the stack `hosts`. */
export const hostSetup = z.strictObject({
  /** Image of the agent; without it the one of this version is streamed over SSH. */
  agentImage: z.string().optional(),
  edgeImage: z.string().optional(),
  /** Ports of the edge. */
  httpPort: z.number().int().min(1).max(65535).default(80),
  httpsPort: z.number().int().min(1).max(65535).default(443),
  /** Addresses that releases get their networks from. */
  networkPool: z.cidrv4().default("10.210.0.0/16"),
  /** What images may take on disk, in GB (10⁹ bytes), before the oldest that are kept for a rollback go. */
  imageBudgetGb: z.number().positive().default(10),
});
export type HostSetup = z.infer<typeof hostSetup>;

/** One app of an environment. What belongs to a release (all but `host`, `domains`, `accessories`) is what a rollback brings back. */
export const appConfig = z.strictObject({
  /** Name of a host in `ikoma:hosts`. */
  host: z.string(),
  domains: z.array(z.string()).default([]),
  /** Reference of the release bundle: `registry/name@sha256:…` (or a file, for trying things). */
  bundle: z.string().optional(),
  /** Bundle that the accessories are taken from, where it is not `bundle`: set by a rollback, removed by the next deploy. */
  accessoriesBundle: z.string().optional(),
  /** Values for the variables of the compose file that are no secrets. Secrets: `ikoma:secrets`. */
  env: z.record(z.string(), z.string()).default({}),
  health: healthProbe.optional(),
  smoke: z.array(smokeCheck).optional(),
  drainSeconds: z.number().min(0).max(3600).optional(),
  /** How a release is watched after the switch, and when it is taken back; a rollback leaves it as it is. */
  bake: bakePolicy.optional(),
  /** How many good deployments stay ready for a rollback. */
  keep: z.number().int().min(1).max(50).default(5),
  /** Refuse to take away an app with long-lived services (moved to another host, renamed, removed); volumes stay in any case. */
  protectAccessories: z.boolean().default(true),
  /** Look in the registry, at each plan, whether the images of the app's own services are still there. */
  checkImages: z.boolean().default(false),
});
export type AppConfig = z.infer<typeof appConfig>;

/** `ikoma:hosts` */
export const hostsConfig = z.record(z.string(), hostConfig);
/** `ikoma:setup`, only in the stack `hosts` */
export const setupConfig = z.record(z.string(), hostSetup);
/** `ikoma:apps` */
export const appsConfig = z.record(appName, appConfig);
/** `ikoma:secrets`: app, then variable; encrypted by Pulumi. */
export const secretsConfig = z.record(appName, z.record(z.string(), z.string()));
