import * as z from "zod";
import {
  connectionLimit,
  healthProbe,
  hook,
  hookTimeoutSeconds,
  releaseStrategy,
  route,
  serviceKind,
  smokeCheck,
  strategyDescription,
} from "../../release/release-spec.ts";
import { IkomaError } from "../../errors.ts";
import { migrationsExtension } from "./migrations-extension.ts";

const port = z.number().int().min(1).max(65535);

// The descriptions are the reference: docs/reference/compose-extension.md is made from them.

/** `x-ikoma` on a service. */
export const serviceExtension = z.strictObject({
  kind: serviceKind
    .optional()
    .describe(
      "What the service is: `web` gets requests, `worker` runs beside it, `job` runs once, `accessory` (a database, a cache) lives on across releases. Without it the bundle decides and says why.",
    ),
  run: hook.shape.run
    .optional()
    .describe(
      "Makes it a job that runs once for each deployment: `pre`, before the web starts, or `post`, when it serves.",
    ),
  timeoutSeconds: hookTimeoutSeconds.optional().describe("How long such a job may take, in seconds; without it 300."),
  overlap: z
    .boolean()
    .optional()
    .describe(
      "For a worker (a queue, a scheduler): `false` where two releases of it must never run at once. The old one is then stopped before the new release starts, and started again if that is taken back; without it the old one runs on until the new release serves.",
    ),
  port: port
    .optional()
    .describe("Port that the edge sends requests to; without it the one that is published or exposed."),
  path: z
    .string()
    .startsWith("/")
    .optional()
    .describe("Requests whose path starts so go to this service; without it `/`."),
  maxConnections: connectionLimit
    .optional()
    .describe("Requests and open connections (websockets) that one container is given at once; without it 400."),
  smoke: z.array(smokeCheck).default([]).describe("Requests that must be answered before and after the switch."),
  health: healthProbe
    .optional()
    .describe(
      "How web services without a `healthcheck` are told to be ready; written once in a file, here or at its top.",
    ),
});
export type ServiceExtension = z.infer<typeof serviceExtension>;

/** `x-ikoma` at the top of the file. */
export const appExtension = z.strictObject({
  smoke: z
    .array(smokeCheck)
    .default([])
    .describe("Requests that must be answered before and after the switch, besides those of the services."),
  health: healthProbe
    .optional()
    .describe(
      "How web services without a `healthcheck` are told to be ready; written once in a file, here or on a service.",
    ),
  drainSeconds: z
    .number()
    .min(0)
    .max(3600)
    .optional()
    .describe(
      "How long old connections may live on after the switch; without it 30 seconds. With `strategy: replace` at most 5, as nothing new is answered meanwhile.",
    ),
  strategy: releaseStrategy.optional().describe(`${strategyDescription} Without it \`switch\`.`),
  routes: z.array(route).optional().describe("In place of what the services' ports and paths say."),
  migrations: migrationsExtension
    .optional()
    .describe("Changes of the app's database that are run before a release starts, each once. Without it none are."),
});
export type AppExtension = z.infer<typeof appExtension>;

/**
 * Reads an `x-ikoma`; nothing at all is an empty one.
 *
 * @throws IkomaError COMPOSE_INVALID that names the key.
 */
export function parseExtension<T extends z.ZodType>(schema: T, value: unknown, path: string): z.infer<T> {
  const parsed = schema.safeParse(value ?? {});
  if (parsed.success) return parsed.data;
  throw new IkomaError("COMPOSE_INVALID", `${path} is not understood:\n${z.prettifyError(parsed.error)}`, {
    hint: "A service takes kind, port, path, maxConnections, smoke, health, overlap, run and timeoutSeconds; the top of the file smoke, health, drainSeconds, strategy, routes and migrations.",
  });
}
