import * as z from "zod";
import { operationKind } from "../../agent/protocol/operations.ts";
import { maxMessageBytes } from "../../agent/protocol/wire.ts";
import { appName } from "../release/release-spec.ts";

/**
 * How an agent that dials out and a caller meet in the Bridge's API, over HTTP. A caller opens a *channel* to a host;
 * what travels in it are the lines of the agent's own protocol, as through its socket. To the agent all channels of its
 * host come together as numbered *frames*, of which each side repeats those that the other has not acknowledged.
 */

/** How long the API holds an agent's request for calls when there are none, in ms. */
export const holdMs = 20_000;

/** An agent that asks for no calls for so long is away, in ms. */
export const graceMs = 8_000;

/** An empty line goes through an open channel so often, in ms: whoever hears nothing for three of them has lost it. */
export const heartbeatMs = 10_000;

/** Longest that one request of a caller waits for a host that is away, in ms. */
export const longestWaitMs = 25_000;

/** Of frames that wait for their way to one side, in bytes; beyond it what asked for them is ended. */
export const maxWaitingBytes = 4 * maxMessageBytes;

/** Frames of one request or answer are at most about this many bytes, or a single frame. */
export const frameBatchBytes = 1024 * 1024;

/** A line as a JSON string may be twice as long, and a message may be as long as any. */
export const maxBodyBytes = 2 * maxMessageBytes + 2 * frameBatchBytes;

/** Name of a host, as in `ikoma:hosts` and in paths of the API. */
export const hostName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/, "letters, digits, `-`, `_` and `.`, at most 63");

/** One line of a channel, or its end. */
export const frame = z.union([
  z.strictObject({ channel: z.string(), line: z.string().max(maxMessageBytes) }),
  z.strictObject({ channel: z.string(), closed: z.literal(true) }),
]);
export type Frame = z.infer<typeof frame>;

/** Frames in their order; `first` is the number of the first. */
export const frames = z.strictObject({ first: z.number().int().positive(), frames: z.array(frame) });
export type Frames = z.infer<typeof frames>;

/** An agent announces itself. */
export const sessionRequest = z.strictObject({
  /** One for each start of an agent. */
  instance: z.string().min(8).max(64),
  agentVersion: z.string().max(100),
  /** Names the numbering of its events: another one where that begins anew. */
  stream: z.string().min(8).max(64),
  /** It was told that another agent of the host took its place, and comes back only if that is gone. */
  yields: z.boolean(),
});
export type SessionRequest = z.infer<typeof sessionRequest>;

export const sessionAnswer = z.strictObject({
  session: z.string(),
  /** Number of the last event of its stream that the API has; 0 for none. */
  received: z.number().int(),
});

/** Something that happened in an operation on a host, free of secrets. */
export const hostEvent = z.strictObject({
  /** Unix time of the host, ms. */
  atMs: z.number(),
  /** Key (the host's own, not the caller's), kind, app and holder of the operation. */
  operation: z.string(),
  kind: operationKind,
  app: appName,
  by: z.string(),
  /** As in the agent's protocol; `ended` is the operation's end, with its state as the name. */
  type: z.enum(["phase", "step", "log", "warning", "ended"]),
  name: z.string(),
  message: z.string(),
});
export type HostEvent = z.infer<typeof hostEvent>;

/** A chunk of events; those before `first` that the API has not got are lost. */
export const eventChunk = z.strictObject({
  stream: sessionRequest.shape.stream,
  first: z.number().int().positive(),
  events: z.array(hostEvent).min(1).max(500),
});
export type EventChunk = z.infer<typeof eventChunk>;

export const eventReceipt = z.strictObject({ received: z.number().int() });

/** What a reader gets: an event under the API's own number, or a gap where `message` says what is missing. */
export const storedEvent = z.strictObject({
  number: z.number().int().positive(),
  event: z.union([hostEvent, z.strictObject({ atMs: z.number(), type: z.literal("gap"), message: z.string() })]),
});
export type StoredEvent = z.infer<typeof storedEvent>;

/** Lines of a caller for its channel; `number` counts the requests from 1, so that a repeat is known as one. */
export const channelLines = z.strictObject({
  number: z.number().int().positive(),
  lines: z.array(z.string().max(maxMessageBytes)).min(1),
});

/** The first line of an open channel. */
export const channelOpened = z.strictObject({ channel: z.string() });

/** An error of the API (RFC 9457), with this project's code. */
export const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  /** With HOST_AWAY: when its agent was last there, Unix time in ms; absent for never. */
  lastSeenMs: z.number().optional(),
});
export type Problem = z.infer<typeof problem>;
