import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../../core/errors.ts";
import { haproxyPaths } from "./haproxy-config.ts";
import { askMaster, expectAnswer, withRuntime } from "./haproxy-sockets.ts";
import { parseCounters } from "./runtime-counters.ts";
import { parseInfo, parseProcesses, parseServers, parseSessions, serverCommands } from "./runtime-state.ts";
import type { Processes, RuntimeServer } from "./runtime-state.ts";
import type { EdgeCounters } from "./edge.ts";

const pollMs = 10;

/** Where HAProxy's own words about a refused configuration are: HAProxy 2.6 does not give them over its sockets. */
export type StartupLog = () => Promise<string>;

/** HAProxy's processes: the master, the worker that serves, and workers of earlier configurations that finish. */
export class HaproxyWorkers {
  readonly #paths: ReturnType<typeof haproxyPaths>;
  readonly #startupLog: StartupLog | undefined;

  constructor(directory: string, startupLog?: StartupLog) {
    this.#paths = haproxyPaths(directory);
    this.#startupLog = startupLog;
  }

  /** The worker that serves: process, version and what configuration it runs. */
  info(signal: AbortSignal): Promise<ReturnType<typeof parseInfo>> {
    return withRuntime(this.#paths.runtimeSocket, signal, async (run) => parseInfo(await run("show info")));
  }

  /** Names of the backends of the worker that serves. */
  backends(signal: AbortSignal): Promise<Set<string>> {
    return withRuntime(
      this.#paths.runtimeSocket,
      signal,
      async (run) => new Set((await run("show backend")).split("\n").slice(1)),
    );
  }

  /** Servers of every old worker that still lives. */
  async oldServers(signal: AbortSignal): Promise<{ pid: number; servers: RuntimeServer[] }[]> {
    const { oldWorkers } = await this.#processes(signal);
    const read = async (pid: number): Promise<RuntimeServer[]> => {
      const state = await this.#askWorker(pid, serverCommands.state, signal);
      const stat = await this.#askWorker(pid, serverCommands.stat, signal);
      return parseServers(state, stat);
    };
    const living = await this.#ofLiving(oldWorkers, signal, read);
    return living.map(({ pid, found }) => ({ pid, servers: found }));
  }

  /** What every old worker that still lives has counted for its servers. */
  async oldCounters(signal: AbortSignal): Promise<EdgeCounters[]> {
    const { oldWorkers } = await this.#processes(signal);
    const living = await this.#ofLiving(oldWorkers, signal, async (pid) =>
      parseCounters(pid, await this.#askWorker(pid, serverCommands.stat, signal)),
    );
    return living.flatMap(({ found }) => found);
  }

  /**
   * Closes what an old worker has under way on servers. One by one: a worker that is stopping answers "Proxy is
   * disabled." to every command about a server, `shutdown sessions server` too (HAProxy 2.6).
   * @throws IkomaError EDGE_FAILED when it refuses
   */
  async closeSessions(pid: number, servers: readonly RuntimeServer[], signal: AbortSignal): Promise<void> {
    const paths = new Set(servers.map((server) => `${server.backend}/${server.name}`));
    await this.#ofLiving([pid], signal, async () => {
      const run = (command: string): Promise<string> => this.#askWorker(pid, command, signal);
      for (const session of parseSessions(await run("show sess"))) {
        if (paths.has(session.server)) await expectAnswer(run, `shutdown session ${session.id}`, /^$|^No such session/);
      }
      return [];
    });
  }

  /**
   * Makes the master read the configuration, and waits until a new worker runs it and every older one has
   * stopped listening.
   * @throws IkomaError EDGE_FAILED when HAProxy refuses it; the worker from before then serves on
   */
  async reload(base: string, signal: AbortSignal): Promise<void> {
    const before = await this.info(signal);
    const { failedReloads } = await this.#processes(signal);
    // 2.6 closes the connection without a word and works on; from 2.7 the answer comes when it is done.
    const answer = await askMaster(this.#paths.masterSocket, signal, "reload");
    if (answer.startsWith("Success=0")) throw await this.#refused(answer.replace(/^Success=0\s*(--)?\s*/, ""));
    for (;;) {
      const [info, processes] = await Promise.all([quietly(this.info(signal)), quietly(this.#processes(signal))]);
      if (info !== undefined && info.pid !== before.pid && info.base === base) break;
      if (processes !== undefined && processes.failedReloads > failedReloads) throw await this.#refused("");
      if (signal.aborted)
        throw new IkomaError("EDGE_FAILED", "HAProxy did not come up with the new configuration in time.", {
          details: { log: await this.#log() },
        });
      await sleep(pollMs);
    }
    await this.#untilOldOnesStop(signal);
  }

  /** A worker that has not heard yet that it shall stop would answer by its own, older routes. */
  async #untilOldOnesStop(signal: AbortSignal): Promise<void> {
    for (;;) {
      const { oldWorkers } = await this.#processes(signal);
      const infos = await this.#ofLiving(oldWorkers, signal, async (pid) => [
        parseInfo(await this.#askWorker(pid, "show info", signal)),
      ]);
      if (infos.every(({ found: [info] }) => info?.stopping ?? true)) return;
      await sleep(pollMs);
    }
  }

  #processes(signal: AbortSignal): Promise<Processes> {
    return readProcesses(this.#paths.masterSocket, signal);
  }

  #askWorker(pid: number, command: string, signal: AbortSignal): Promise<string> {
    return askMaster(this.#paths.masterSocket, signal, `@!${pid} ${command}`);
  }

  /**
   * An old worker may end between two questions, and refuses them while it does ("Can't connect to the target
   * CLI!"); what it had is then over, not unknown. So each is asked until it answers or is gone.
   */
  async #ofLiving<T>(
    pids: number[],
    signal: AbortSignal,
    ask: (pid: number) => Promise<T[]>,
  ): Promise<{ pid: number; found: T[] }[]> {
    const answers = await Promise.all(
      pids.map(async (pid) => {
        for (;;) {
          try {
            return [{ pid, found: await ask(pid) }];
          } catch (error) {
            if (signal.aborted) throw error;
          }
          if (!(await this.#processes(signal)).oldWorkers.includes(pid)) return [];
          await sleep(pollMs);
        }
      }),
    );
    return answers.flat();
  }

  async #refused(answer: string): Promise<IkomaError> {
    const log = answer === "" ? await this.#log() : answer;
    const alerts = log.split("\n").filter((line) => line.includes("[ALERT]"));
    const said = alerts.slice(-3).join(" ") || log.trim().split("\n").slice(-3).join(" ") || "see its log";
    return new IkomaError("EDGE_FAILED", `HAProxy refused the new configuration, the one before serves on: ${said}`, {
      details: { log },
    });
  }

  async #log(): Promise<string> {
    return this.#startupLog === undefined
      ? ""
      : this.#startupLog().catch((error: unknown) => `(its log could not be read: ${String(error)})`);
  }
}

/**
 * The master's processes. At a start, and for a moment at each reload (it executes itself anew), the master's
 * socket is there but refuses or drops connections while a worker serves already: hence asked until it answers.
 * @throws IkomaError EDGE_FAILED when `signal` aborts before
 */
export async function readProcesses(masterSocket: string, signal: AbortSignal): Promise<Processes> {
  for (;;) {
    try {
      return parseProcesses(await askMaster(masterSocket, signal, "show proc"));
    } catch (error) {
      if (signal.aborted) throw error;
    }
    await sleep(pollMs);
  }
}

/** While the master starts itself anew, its sockets refuse or close connections for a moment. */
async function quietly<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch {
    return undefined;
  }
}
