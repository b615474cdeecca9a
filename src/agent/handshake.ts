import { statfs } from "node:fs/promises";
import * as z from "zod";
import type { Compose } from "./engine/compose.ts";
import type { Host } from "./host.ts";
import { releasePhases } from "./protocol/phases.ts";
import { protocolVersion } from "./protocol/wire.ts";
import type { Handshake } from "./protocol/views.ts";

/** Version of the agent; the build puts it in. */
export const agentVersion = process.env["IKOMA_AGENT_VERSION"] ?? "0.0.0";

const engineVersion = z.object({ Version: z.string() });
const composeVersions = new WeakMap<Compose, string>();

/** What this host is and has: the first thing that both sides tell each other. */
export async function handshake(host: Host): Promise<Handshake> {
  const [engine, compose, edge, disk] = await Promise.all([
    host.engine.json(engineVersion, { path: "/version" }),
    composeVersion(host.compose),
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

/** Asked once: it starts a process, and does not change while the agent runs. */
async function composeVersion(compose: Compose): Promise<string> {
  const known = composeVersions.get(compose) ?? (await compose.version());
  composeVersions.set(compose, known);
  return known;
}
