import { belongsTo, candidateName, isCandidate } from "./edge-names.ts";
import { candidateEntries } from "./haproxy-config.ts";
import type { RunCommand } from "./haproxy-sockets.ts";
import { replaceEntries } from "./runtime-map.ts";
import { perform, readServers, removeAll } from "./runtime-servers.ts";
import { findMap } from "./runtime-state.ts";
import { addServer, serverPath, setState } from "./switch-plan.ts";
import type { EdgeApp } from "./edge.ts";

/** Has the running process serve a release in preparation on the candidate socket, instead of one before. */
export async function serveCandidates(run: RunCommand, app: EdgeApp, signal: AbortSignal): Promise<void> {
  await removeCandidates(run, app.app, signal);
  for (const server of app.servers) {
    const path = serverPath(app.app, server, candidateName);
    await perform(run, [addServer(path, server, false), setState(path, "ready")]);
  }
  await replaceEntries(run, findMap(await run("show map"), "candidates"), app.app, new Map(candidateEntries(app)));
}

/** Takes away what {@link serveCandidates} has added. */
export async function removeCandidates(run: RunCommand, app: string, signal: AbortSignal): Promise<void> {
  await replaceEntries(run, findMap(await run("show map"), "candidates"), app, new Map());
  const servers = await readServers(run);
  await removeAll(
    run,
    servers.filter((each) => belongsTo(app, each.backend) && isCandidate(each.backend)),
    signal,
  );
}
