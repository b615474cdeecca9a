import * as z from "zod";
import { policyConfig } from "../policies/policy-config.ts";
import { backupPolicy } from "../backup/backup-policy.ts";
import { databaseSettings } from "../database/remote-database.ts";
import { fingerprintText } from "../link/admin-fingerprint.ts";
import { httpsAddress } from "../link/https-address.ts";
import { migrationPolicy } from "../migrations/migration-spec.ts";
import {
  appName,
  bakePolicy,
  healthProbe,
  releaseStrategy,
  smokeCheck,
  strategyDescription,
} from "../release/release-spec.ts";
import { storeConfig, storeSource } from "../secret-store/store-config.ts";
import { supabaseConfig } from "../services/supabase/supabase-config.ts";
import { signaturePolicy } from "../signing/signature-policy.ts";
import { pemCertificate } from "./pem-certificate.ts";

// The descriptions are the reference: docs/reference/configuration.md and the JSON Schema for editors are made from them.

/** How to reach a host over SSH. */
export const hostConfig = z.strictObject({
  address: z.string().min(1).describe("Name or address that SSH connects to."),
  port: z.number().int().min(1).max(65535).default(22).describe("Port of its SSH server."),
  user: z.string().min(1).default("root").describe("`root`, or a member of the group `docker`."),
  hostKey: z
    .string()
    .regex(/^(ssh-ed25519|ecdsa-sha2-nistp\d+|ssh-rsa) [A-Za-z0-9+/=]+$/, "`type base64`, as in a known_hosts file")
    .describe("The server's public key, as `ssh-ed25519 AAAA…`; connections to any other key are refused."),
  identityFile: z
    .string()
    .optional()
    .describe("Private key file; without it the SSH agent and the usual files of `~/.ssh` are tried."),
});
export type HostConfig = z.infer<typeof hostConfig>;

const caCert = pemCertificate
  .optional()
  .describe("Certificate (PEM) of the only authority that the API's may be from; without it the usual ones.");

/** How to reach a host through the Bridge's API, which its agent dials out to. */
export const apiWay = z.strictObject({
  api: httpsAddress.describe("Address of the Bridge's API; the host is known there by the name that it has here."),
  caCert,
});
export type ApiWay = z.infer<typeof apiWay>;

/** How to reach the host that this runs on. */
export const socketWay = z.strictObject({
  socket: z.string().regex(/^\//, "an absolute path").describe("Socket of the agent on this very machine."),
});

/** The three ways to a host. */
export const hostWay = z.union([hostConfig, apiWay, socketWay]);
export type HostWay = z.infer<typeof hostWay>;
/** Names of all settings of all three. */
export const wayKeys: readonly string[] = hostWay.options.flatMap((way) => Object.keys(way.shape));

/** What is set up on a host by the stack `hosts`. */
export const hostSetup = z.strictObject({
  agentImage: z
    .string()
    .optional()
    .describe("Image of the agent; without it the one of this version is streamed over SSH."),
  edgeImage: z
    .string()
    .optional()
    .describe("Image of the edge (HAProxy); without it the one of this version is streamed over SSH."),
  httpPort: z.number().int().min(1).max(65535).default(80).describe("Port on which the edge takes HTTP."),
  httpsPort: z.number().int().min(1).max(65535).default(443).describe("Port on which the edge takes HTTPS."),
  networkPool: z
    .cidrv4()
    .default("10.210.0.0/16")
    .describe(
      "Addresses that releases get their networks from. What another network of the engine uses, or the host has a route to inside of them, is left out.",
    ),
  imageBudgetGb: z
    .number()
    .positive()
    .default(10)
    .describe("What images may take on disk, in GB (10⁹ bytes), before the oldest that are kept for a rollback go."),
  signatures: signaturePolicy
    .optional()
    .describe("Whose signatures a bundle must have to run on this host. Without it none is asked for."),
  api: z
    .strictObject({ url: httpsAddress.describe("Address of the API."), caCert })
    .optional()
    .describe(
      "The Bridge's API that the agent dials out to, so that the host needs no inbound SSH. Its token: `host bootstrap --api-token-file`.",
    ),
});
export type HostSetup = z.infer<typeof hostSetup>;

const shellScript = "run with `sh -e`: the first command that fails ends it";

/** One thing that is done to a host before an agent can be there. */
export const prepareStep = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]*$/, "lower-case letters, digits, `-`, `_` and `.`")
    .describe("Name of the step; each of a host has its own. Under another name it is another step."),
  create: z
    .string()
    .min(1)
    .describe(`Shell script that does it, ${shellScript}. It is run once, and again when it changes. It is no secret.`),
  delete: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Shell script that undoes it, run when the step is taken out, and before a changed `create` is run. Without it nothing is undone.",
    ),
  stdin: z
    .string()
    .optional()
    .describe(
      "What the scripts read on standard input: the place for a secret (`pulumi config set --secret --path`). Another one runs the step again.",
    ),
  triggers: z.array(z.string()).default([]).describe("Any texts; when one of them changes, the step is run again."),
});
export type PrepareStep = z.infer<typeof prepareStep>;

/** Steps in the order in which they are done. */
const prepareSteps = z
  .array(prepareStep)
  .refine((steps) => new Set(steps.map(({ name }) => name)).size === steps.length, "two steps have the same name");

/** One app of an environment. What belongs to a release (`bundle`, `env`, `health`, `smoke`, `drainSeconds`, `strategy`) is what a rollback brings back. */
export const appConfig = z.strictObject({
  host: z.string().describe("Name of a host in `ikoma:hosts`."),
  domains: z
    .array(z.string())
    .default([])
    .describe("Host names that the edge serves the app under; none means every name that no other app has."),
  bundle: z
    .string()
    .optional()
    .describe(
      "Reference of the release bundle: `registry/name@sha256:…` (or a file, for trying things). `deploy apply --bundle` writes it. Without it the app is not deployed.",
    ),
  accessoriesBundle: z
    .string()
    .optional()
    .describe(
      "Bundle that the accessories are taken from, where it is not `bundle`: set by a rollback, removed by the next deploy.",
    ),
  secretsOf: z
    .strictObject({
      deployment: z.number().int().positive().describe("Number of the deployment."),
      names: z.array(z.string()).min(1).describe("The secrets that are taken from it."),
    })
    .optional()
    .describe(
      "Secrets whose values are those of an earlier deployment, which the host keeps: set by `deploy rollback --with-secrets`, removed by the next `deploy apply --bundle`. What `ikoma:secrets` says of them is not used meanwhile.",
    ),
  env: z
    .record(z.string(), z.string())
    .default({})
    .describe("Values for the variables of the compose file that are no secrets. Secrets: `ikoma:secrets`."),
  health: healthProbe
    .optional()
    .describe("How a web service without a health check of its own is told to be ready; before what the bundle says."),
  smoke: z
    .array(smokeCheck)
    .optional()
    .describe("Requests that must be answered before and after the switch; in place of those of the bundle."),
  drainSeconds: z
    .number()
    .min(0)
    .max(3600)
    .optional()
    .describe("How long old connections may live on after the switch; before what the bundle says."),
  strategy: releaseStrategy.optional().describe(`${strategyDescription} Before what the bundle says.`),
  bake: bakePolicy
    .optional()
    .describe("How a release is watched after the switch, and when it is taken back; a rollback leaves it as it is."),
  migrations: migrationPolicy
    .optional()
    .describe("How long migrations of the app's database may wait and work, and what guards its data."),
  database: databaseSettings
    .optional()
    .describe(
      "The database that the app's migrations are for, where that is none of its accessories: Supabase, RDS, Neon. Without it they are run on the PostgreSQL server of the compose file.",
    ),
  backup: backupPolicy
    .optional()
    .describe(
      "How its PostgreSQL database is backed up, on its host: before each deploy that changes something, and by a schedule. Without it, nothing is.",
    ),
  supabase: supabaseConfig
    .optional()
    .describe("The Supabase that it works with, in one of these modes; nothing of it is ever deleted."),
  keep: z.number().int().min(1).max(50).default(5).describe("How many good deployments stay ready for a rollback."),
  protectAccessories: z
    .boolean()
    .default(true)
    .describe(
      "Refuse to take away an app with long-lived services (moved to another host, renamed, removed); volumes stay in any case.",
    ),
  checkImages: z
    .boolean()
    .default(false)
    .describe("Look in the registry, at each plan, whether the images of the app's own services are still there."),
  requireSignature: z
    .boolean()
    .optional()
    .describe(
      "Deploy only bundles that a key of the host has signed, even if the host does not insist; it cannot ask for less than the host. Without it: in a stack named `prod`, once the host knows keys.",
    ),
});
export type AppConfig = z.infer<typeof appConfig>;

/** `ikoma:bridge`: the settings of one app, with what its API needs besides. */
export const bridgeConfig = appConfig
  .omit({ domains: true })
  .extend({
    domain: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]*$/, "a lower-case host name")
      .describe("Host name that the edge serves the API under, with TLS: `https://<domain>` is its address."),
    certificate: z
      .string()
      .default("CERTIFICATE")
      .describe(
        "Name of the secret of `ikoma:secrets.bridge` that holds the certificate of the domain: PEM, with what it is signed by, then its private key. The edge gets it, the API does not.",
      ),
    admins: z
      .array(fingerprintText)
      .min(1)
      .describe(
        "Fingerprints of the tokens that may make and revoke others, as `ikoma api token admin` prints them. A rollback leaves them as they are.",
      ),
    bake: bakePolicy
      .extend({ maxErrorRate: bakePolicy.shape.maxErrorRate.default(1) })
      .prefault({})
      .describe(
        "How a release is watched after the switch. Errors do not count: with 503 the API says that a host is away. Containers and health do.",
      ),
  })
  .describe(
    "The Bridge's own API and database; only in the stack `bridge`. All settings of an app (`ikoma:apps`) but `domains` are allowed here too.",
  );
export type BridgeConfig = z.infer<typeof bridgeConfig>;

/** `ikoma:hosts` */
export const hostsConfig = z
  .record(z.string(), hostWay)
  .describe(
    "How hosts are reached, by name: over SSH (written by `ikoma host trust`), through the Bridge's API, or by the agent's socket on the machine itself.",
  );
/** `ikoma:setup`, only in the stack `hosts` */
export const setupConfig = z
  .record(
    z.string(),
    hostSetup.extend({
      prepare: prepareSteps
        .default([])
        .describe(
          "What is done on the host over SSH before the agent is put there, one step after the other. Needs Pulumi's plugin `command`.",
        ),
    }),
  )
  .describe("What is set up on each host; only in the stack `hosts`. A host that is not named gets the defaults.");
/** `ikoma:apps` */
export const appsConfig = z.record(appName, appConfig).describe("The apps of the environment, by name.");
/** Where a secret is from: the value itself, encrypted by Pulumi, or where to look for it in each run. */
const secretSource = z.union(
  [
    z.string(),
    z.strictObject({ env: z.string().min(1) }),
    z.strictObject({ command: z.array(z.string()).min(1) }),
    storeSource,
  ],
  "a value, {env: NAME}, {command: [PROGRAM, …]} or {store: true}, {store: NAME, version: N}",
);
export type SecretSource = z.infer<typeof secretSource>;
/** `ikoma:secrets`: app, then variable. */
export const secretsConfig = z
  .record(appName, z.record(z.string(), secretSource))
  .describe(
    'Secret values for the variables of the compose file: app, then variable. A value is encrypted by Pulumi; `{env: NAME}` takes it from the environment, `{command: [op, read, "op://…"]}` from what a command prints, `{store: true}` from the secret store, where it has the variable\'s name (else `{store: NAME}`; `version` for another than the newest), in each run.',
  );

/** All settings of a stack, without the `ikoma:` in front of their names. */
export const stackSettings = z.strictObject({
  hosts: hostsConfig.optional(),
  apps: appsConfig.optional(),
  secrets: secretsConfig.optional(),
  bridge: bridgeConfig.optional(),
  setup: setupConfig.optional(),
  policy: policyConfig.optional(),
  store: storeConfig.optional(),
  offline: z
    .boolean()
    .default(false)
    .describe("Plan without looking at hosts (a preview in CI); nothing can be changed then."),
});
