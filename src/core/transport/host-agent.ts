import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { HostWay } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";
import { AgentClient, type AgentClientOptions } from "./agent-client.ts";
import type { ApiHost } from "./api-stream.ts";
import { whileStarting } from "./while-starting.ts";

/** A host by the name that it has in `ikoma:hosts`, and the way to it. */
export interface NamedHost {
  readonly name: string;
  readonly way: HostWay;
}

/** What is done about a host that is away, where the way to it knows that. */
export type AwayOptions = Pick<ApiHost, "waitForHostMs" | "onQueued" | "signal">;

/** The agent of a host, whichever way leads there; connected on first use. What a way needs is loaded with it. */
export async function openHostAgent(
  { name, way }: NamedHost,
  { waitForHostMs, onQueued, signal, ...options }: AgentClientOptions & AwayOptions = {},
): Promise<AgentClient> {
  if ("socket" in way) return new AgentClient(() => openLocalStream(way.socket), options);
  if ("api" in way) {
    const [{ ApiChannels }, { readCallerToken }] = await Promise.all([
      import("./api-stream.ts"),
      import("./api-token-source.ts"),
    ]);
    const channels = new ApiChannels({ name, way, token: readCallerToken, waitForHostMs, onQueued, signal });
    return new AgentClient(channels.open, options);
  }
  const { openAgent } = await import("./host-connections.ts");
  return openAgent(way, options);
}

/** Starts to connect where that takes long, so that the connection is ready when it is asked for; a failure shows then. */
export async function prewarm(way: HostWay): Promise<void> {
  if ("address" in way) (await import("./host-connections.ts")).prewarmHost(way);
}

/** @throws AGENT_MISSING */
async function openLocalStream(path: string): Promise<Duplex> {
  try {
    return await whileStarting(() => connectLocally(path), nobodyListens);
  } catch (cause) {
    const { message } = cause as Error;
    throw new IkomaError("AGENT_MISSING", `No agent listens on ${path} of this machine: ${message}.`, { cause });
  }
}

function nobodyListens(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ECONNREFUSED";
}

function connectLocally(path: string): Promise<Duplex> {
  const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
  const socket = connect(path);
  socket.once("connect", () => {
    resolve(socket);
  });
  socket.once("error", reject);
  return promise;
}

/** A host in messages and tables. */
export function wayLabel(way: HostWay): string {
  if ("api" in way) return way.api;
  if ("socket" in way) return way.socket;
  return `${way.user}@${way.address}${way.port === 22 ? "" : `:${way.port}`}`;
}
