import * as z from "zod";

/** App and service names end up in compose project names and HAProxy identifiers, hence lower case. */
export const appName = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/, "lower-case letters, digits and hyphens, starting with a letter, at most 40");

export const serviceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,62}$/, "lower-case letters, digits, '_', '.' and '-', at most 63");

/** `sha256:` and 64 hex digits. */
export const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/, "sha256: and 64 hex digits");

/** What a service of a compose file is to the Bridge. `accessory` lives on across releases (databases, caches). */
export const serviceKind = z.enum(["web", "worker", "job", "accessory"]);
export type ServiceKind = z.infer<typeof serviceKind>;

/** Longest text of one file, in characters: larger ones belong into the image or a volume. */
export const longestFile = 256 * 1024;

/** A file that a container finds at its place: a secret or a configuration of the compose file. */
export const serviceFile = z.strictObject({
  content: z.string().max(longestFile),
  /** Octal, as for chmod. Nobody but root reaches the file on the host, whatever this says. */
  mode: z.string().regex(/^0[0-7]{3}$/, "an octal mode such as 0444"),
  uid: z.number().int().min(0).optional(),
  gid: z.number().int().min(0).optional(),
});
export type ServiceFile = z.infer<typeof serviceFile>;

/** By absolute path in the container. */
export const serviceFiles = z.record(z.string().regex(/^\/[^\0:]*[^\0:/]$/, "an absolute path of a file"), serviceFile);
export const hookTimeoutSeconds = z.number().positive().max(3600);

/** When a job runs by itself: once for each deployment, before its web services start, or after it came to serve. */
export const hook = z.strictObject({
  run: z.enum(["pre", "post"]),
  /** How long it may take, in seconds. */
  timeoutSeconds: hookTimeoutSeconds.default(300),
});
export type Hook = z.infer<typeof hook>;

/** One service, fully resolved: the fields of a compose service (environment always as a map) and its kind. */
export const serviceSpec = z.looseObject({
  kind: serviceKind,
  /** Of a job that runs by itself. */
  hook: hook.optional(),
  /** False for a worker of which two releases must never run at once. */
  overlap: z.literal(false).optional(),
  /** By digest: `repository@sha256:…`. */
  image: z.string().regex(/@sha256:[0-9a-f]{64}$/, "an image by digest (name@sha256:…)"),
  environment: z.record(z.string(), z.string()).default({}),
  files: serviceFiles.optional(),
});
export type ServiceSpec = z.infer<typeof serviceSpec>;

/** What one container of a web service is given at once: requests, and connections that stay open (websockets). */
export const connectionLimit = z.number().int().min(1).max(10_000);
const statusRange = z
  .tuple([z.number().int(), z.number().int()])
  .default([200, 399])
  .describe("Accepted status codes, from and to.");

/** Requests whose path starts with `path` go to `port` of `service`; the hosts are those of the app's site. */
export const route = z.strictObject({
  path: z
    .string()
    .regex(/^\/[A-Za-z0-9._~%+:@=,/-]*$/, "a path of letters, digits and -._~%+:@=,/")
    .default("/")
    .describe("Requests whose path starts so."),
  service: serviceName.describe("The service that they go to."),
  port: z.number().int().min(1).max(65535).describe("Its port."),
  maxConnections: connectionLimit
    .optional()
    .describe(
      "Requests and open connections that one container is given at once; what comes beyond waits at the edge. Without it 400.",
    ),
});
export type Route = z.infer<typeof route>;

/** A route's path as the edge keeps it: no slash at the end, except for the root. */
export function routePath(path: string): string {
  return path.replace(/\/+$/, "") || "/";
}

/** One request that must be answered as expected, through the edge, before and after the switch. */
export const smokeCheck = z.strictObject({
  path: z.string().startsWith("/").describe("What is asked for, with GET."),
  status: statusRange,
  contains: z.string().optional().describe("Text that the body must contain, in its first MiB."),
  timeoutSeconds: z.number().positive().max(120).default(5).describe("How long the answer may take."),
});
export type SmokeCheck = z.infer<typeof smokeCheck>;

/** How the agent tells that a web service is ready, where its compose file has no health check. */
export const healthProbe = z.strictObject({
  path: z.string().startsWith("/").default("/").describe("What is asked for, with GET."),
  status: statusRange,
  timeoutSeconds: z
    .number()
    .positive()
    .max(3600)
    .default(30)
    .describe("How long all services together may take to become healthy."),
});
export type HealthProbe = z.infer<typeof healthProbe>;

/** How a release is watched once it gets visitors' requests, before it counts as good. */
export const bakePolicy = z.strictObject({
  seconds: z.number().min(0).max(3600).default(10).describe("For how long, in seconds; 0 does not watch at all."),
  maxErrorRate: z
    .number()
    .min(0)
    .max(1)
    .default(0.01)
    .describe("Largest share of requests that may fail (status 5xx, no connection, broken answer); 0.01 is 1 %."),
  minRequests: z
    .number()
    .int()
    .min(1)
    .default(20)
    .describe("With fewer requests than these, errors and times are not judged."),
  maxLatencyMs: z
    .number()
    .positive()
    .optional()
    .describe("Largest mean time until the app answers, in milliseconds; without it times are not judged."),
});
export type BakePolicy = z.infer<typeof bakePolicy>;

/** One step of a canary: the new release gets so much of the requests for so long. */
const canaryStep = z.strictObject({
  percent: z.number().min(1).max(99).describe("How much of the requests the new release gets."),
  seconds: z.number().positive().max(3600).describe("For how long, watched as in the bake time."),
});
export type CanaryStep = z.infer<typeof canaryStep>;

/** How a release takes the place of the one before. */
export const releaseStrategy = z.union(
  [
    z.enum(["switch", "replace", "canary", "rolling"]),
    z.strictObject({
      canary: z
        .strictObject({
          steps: z.array(canaryStep).min(1).max(20).describe("One after another; then it gets all requests."),
        })
        .describe("Other steps than 10 % for 30 s, then 50 % for 30 s."),
    }),
    z.strictObject({
      rolling: z
        .strictObject({
          maxParallel: z
            .number()
            .int()
            .min(1)
            .max(100)
            .describe("How many replicas of each service are started at a time."),
        })
        .describe("More than one replica at a time."),
    }),
  ],
  {
    error: "one of switch, replace, canary, rolling, {canary: {steps: [{percent, seconds}]}}, {rolling: {maxParallel}}",
  },
);
export type ReleaseStrategy = z.infer<typeof releaseStrategy>;

const usualCanarySteps: readonly CanaryStep[] = [
  { percent: 10, seconds: 30 },
  { percent: 50, seconds: 30 },
];

/** The steps of a canary; none for other strategies. */
export function canarySteps(strategy: ReleaseStrategy | undefined): readonly CanaryStep[] {
  if (strategy === "canary") return usualCanarySteps;
  return typeof strategy === "object" && "canary" in strategy ? strategy.canary.steps : [];
}

/** How many replicas of each service are started at a time; undefined where all of them are. */
export function maxParallel(strategy: ReleaseStrategy | undefined): number | undefined {
  if (strategy === "rolling") return 1;
  return typeof strategy === "object" && "rolling" in strategy ? strategy.rolling.maxParallel : undefined;
}

/** How long a request waits at the edge for a release that is about to serve. As long as one waits for a busy server. */
export const longestHoldSeconds = 10;

/** What the strategies are; the same in the compose file and in the settings of a stack. */
export const strategyDescription =
  "How a release takes the place of the one before. `switch`: it starts beside the old one, which serves until the new one does. `replace`: the old one is stopped first, for what cannot overlap (an app that writes a SQLite file); the app is away for a moment, in which requests wait at the edge for up to 10 s. `canary`: it gets the requests step by step. `rolling`: replica by replica, where there is no memory for all of them twice. See the guide `docs/guides/strategies.md`.";

/** A named volume of the compose file. Names on the host are stable: `<app>_<volume>` unless `name` is set. */
export const volumeSpec = z.strictObject({ name: z.string().optional(), external: z.boolean().default(false) });
export type VolumeSpec = z.infer<typeof volumeSpec>;

/** Everything that a release is, resolved for one environment: what the agent runs, compares and records. */
export const releaseSpec = z.strictObject({
  app: appName,
  /** The version label of the bundle, for people. */
  version: z.string().min(1).max(128),
  /** Digest of the bundle that it was made from. */
  bundle: digest,
  services: z.record(serviceName, serviceSpec),
  volumes: z.record(z.string(), volumeSpec).default({}),
  routes: z.array(route).default([]),
  smoke: z.array(smokeCheck).default([]),
  health: healthProbe.default({ path: "/", status: [200, 399], timeoutSeconds: 30 }),
  /** How long old connections may live on after the switch, in seconds. */
  drainSeconds: z.number().min(0).max(3600).default(30),
});
export type ReleaseSpec = z.infer<typeof releaseSpec>;

/** The long-lived services of an app. */
export const accessoriesSpec = z.strictObject({
  app: appName,
  services: z.record(serviceName, serviceSpec),
  volumes: z.record(z.string(), volumeSpec).default({}),
});
export type AccessoriesSpec = z.infer<typeof accessoriesSpec>;

/** What the edge needs to know of an app besides its release. No domain means: every host name. */
export const siteSpec = z.strictObject({
  app: appName,
  domains: z.array(z.string().regex(/^(\*\.)?[a-z0-9.-]+$/, "a lower-case host name")).default([]),
  /** PEM certificate chain and private key for the domains; a secret. */
  certificatePem: z.string().optional(),
});
export type SiteSpec = z.infer<typeof siteSpec>;
