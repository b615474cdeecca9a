import { statfs } from "node:fs/promises";
import * as z from "zod";
import type { Host } from "./host.ts";
import { protocolVersion, releasePhases } from "./protocol.ts";
import type { Handshake } from "./protocol.ts";

/** Version of the agent; the build puts it in. */
export const agentVersion = process.env["IKOMA_AGENT_VERSION"] ?? "0.0.0";

const engineVersion = z.object({ Version: z.string() });
let composeVersion: Promise<string> | undefined;

/** What this host is and has: the first thing that both sides tell each other. */
export async function handshake(host: Host): Promise<Handshake> {
  composeVersion ??= host.compose.version();
  const [engine, compose, edge, disk] = await Promise.all([
    host.engine.json(engineVersion, { path: "/version" }),
    composeVersion,
    host.edge.version(),
    statfs(host.paths.root),
  ]);
  return {
    protocol: protocolVersion,
    agentVersion,
    engineVersion: engine.Version,
    composeVersion: compose,
    edgeVersion: edge ?? "not running",
    phases: [...releasePhases],
    apps: host.parts.apps(),
    diskFreeBytes: disk.bavail * disk.bsize,
    clockMs: Date.now(),
    memoryBytes: process.memoryUsage().rss,
  };
}
