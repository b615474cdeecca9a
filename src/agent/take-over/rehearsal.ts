import type { Logger } from "pino";
import { IkomaError } from "../../core/errors.ts";
import type { Edge } from "../edge/edge.ts";
import { checkEdgeView } from "../edge/edge-view.ts";
import { edgeView } from "../edge-from-ledger.ts";
import { handshake } from "../handshake.ts";
import type { Host } from "../host.ts";
import { openHost } from "../open-host.ts";
import type { AgentPaths, AgentSettings } from "../settings.ts";
import { copyLedger, removeLedger } from "./ledger-copy.ts";

/**
 * Does on a copy of the ledger what a start does, while the agent before goes on: its schema is brought up to date,
 * what it says of every app is read, engine, compose and the edge are asked. Changes nothing.
 *
 * @throws JOURNAL_NEWER and whatever would keep this agent from working
 */
export async function rehearse(parts: {
  paths: AgentPaths;
  settings: AgentSettings;
  log: Logger;
  edge: Edge;
}): Promise<void> {
  const copy = `${parts.paths.database}.rehearsal`;
  removeLedger(copy);
  try {
    if (!copyLedger(parts.paths.database, copy)) return;
    const { host, close } = openHost({ ...parts, paths: { ...parts.paths, database: copy } });
    try {
      checkEdgeView(edgeView(host));
      await handshake(host);
      await requireEdgeImage(host);
    } finally {
      close();
    }
  } finally {
    removeLedger(copy);
  }
}

async function requireEdgeImage({ images, settings }: Host): Promise<void> {
  if ((await images.inspect(settings.edgeImage)) !== undefined) return;
  throw new IkomaError("HOST_NOT_READY", `The image of the edge, ${settings.edgeImage}, is not on this host.`);
}
