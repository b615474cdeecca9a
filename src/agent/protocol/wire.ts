import * as z from "zod";

/** Raised when an older side could misread a newer one. */
export const protocolVersion = 5;

/** Where the agent listens, on the host. */
export const agentSocketPath = "/var/lib/ikoma/run/agent.sock";

/** A longer line is refused by both sides, in bytes. */
export const maxMessageBytes = 4 * 1024 * 1024;

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
