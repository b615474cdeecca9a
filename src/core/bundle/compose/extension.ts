import * as z from "zod";
import {
  connectionLimit,
  healthProbe,
  hook,
  hookTimeoutSeconds,
  route,
  serviceKind,
  smokeCheck,
} from "../../deployer/release-spec.ts";
import { IkomaError } from "../../errors.ts";

const port = z.number().int().min(1).max(65535);

/** `x-ikoma` on a service. */
export const serviceExtension = z.strictObject({
  kind: serviceKind.optional(),
  /** Makes it a job that runs once for each deployment: before the web starts, or after it came to serve. */
  run: hook.shape.run.optional(),
  /** How long such a job may take, in seconds. */
  timeoutSeconds: hookTimeoutSeconds.optional(),
  /** Port that the edge sends requests to. */
  port: port.optional(),
  /** Requests whose path starts so go to this service. @default "/" */
  path: z.string().startsWith("/").optional(),
  /** Requests and open connections (websockets) that one container is given at once. @default 400 */
  maxConnections: connectionLimit.optional(),
  smoke: z.array(smokeCheck).default([]),
  health: healthProbe.optional(),
});
export type ServiceExtension = z.infer<typeof serviceExtension>;

/** `x-ikoma` at the top of the file. */
export const appExtension = z.strictObject({
  smoke: z.array(smokeCheck).default([]),
  health: healthProbe.optional(),
  drainSeconds: z.number().min(0).max(3600).optional(),
  /** In place of what the services' ports and paths say. */
  routes: z.array(route).optional(),
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
    hint: "A service takes kind, port, path, maxConnections, smoke, health, run and timeoutSeconds; the top of the file smoke, health, drainSeconds and routes.",
  });
}
