import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../../core/errors.ts";
import { belongsTo, isCandidate } from "./edge-names.ts";
import { expectAnswer } from "./haproxy-sockets.ts";
import type { RunCommand } from "./haproxy-sockets.ts";
import { parseServers, serverCommands } from "./runtime-state.ts";
import type { RuntimeServer } from "./runtime-state.ts";
import { setState } from "./switch-plan.ts";
import type { EdgeCommand } from "./switch-plan.ts";

const pollMs = 20;

/** Sends commands one after another and stops at the first whose answer is not as expected. */
export async function perform(run: RunCommand, commands: readonly EdgeCommand[]): Promise<void> {
  for (const { command, expected } of commands) await expectAnswer(run, command, expected);
}

/** All servers of the worker that serves. */
export async function readServers(run: RunCommand): Promise<RuntimeServer[]> {
  return parseServers(await run(serverCommands.state), await run(serverCommands.stat));
}

/** Servers of an app, candidates aside. */
export async function publicServers(run: RunCommand, app: string): Promise<RuntimeServer[]> {
  return (await readServers(run)).filter((each) => belongsTo(app, each.backend) && !isCandidate(each.backend));
}

/** Takes servers out and closes what is still open on them. */
export async function removeAll(
  run: RunCommand,
  servers: readonly RuntimeServer[],
  signal: AbortSignal,
): Promise<void> {
  const paths = servers.map((each) => `${each.backend}/${each.name}`);
  await perform(
    run,
    paths.map((path) => setState(path, "maint")),
  );
  for (const path of paths) await removeServer(run, path, signal);
}

/** HAProxy deletes a server only when nothing refers to it; closed connections take a moment to let go. */
async function removeServer(run: RunCommand, path: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    await expectAnswer(run, `shutdown sessions server ${path}`, /^$/);
    const answer = await run(`del server ${path}`);
    if (/^Server deleted\.$|^No such server\.$/.test(answer)) return;
    const isBusy = /still has connections|cannot remove it|in use/i.test(answer);
    if (!isBusy || signal.aborted)
      throw new IkomaError("EDGE_FAILED", `HAProxy does not remove the server ${path}: ${answer}`);
    await sleep(pollMs);
  }
}
