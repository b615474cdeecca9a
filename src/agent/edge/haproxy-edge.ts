import { existsSync } from "node:fs";
import { join } from "node:path";
import { IkomaError } from "../../core/errors.ts";
import { belongsTo, isCandidate } from "./edge-names.ts";
import { checkEdgeApp } from "./edge-view.ts";
import { haproxyPaths } from "./haproxy-config.ts";
import { withRuntime } from "./haproxy-sockets.ts";
import type { RunCommand } from "./haproxy-sockets.ts";
import { HaproxyWorkers } from "./haproxy-workers.ts";
import type { StartupLog } from "./haproxy-workers.ts";
import { LoadedConfig } from "./loaded-config.ts";
import { Mutex } from "./mutex.ts";
import { readConfig } from "./read-config.ts";
import { removeCandidates, serveCandidates } from "./runtime-candidates.ts";
import { readFingerprints } from "./runtime-certificates.ts";
import { parseCounters } from "./runtime-counters.ts";
import { readServed, sumOverWorkers } from "./runtime-served.ts";
import { readServers, removeAll } from "./runtime-servers.ts";
import { parseInfo, serverCommands } from "./runtime-state.ts";
import type { RuntimeServer } from "./runtime-state.ts";
import { holdRequests, shareRequests, switchServers } from "./runtime-switch.ts";
import { checkRoutesHaveServers } from "./switch-plan.ts";
import type {
  Edge,
  EdgeApp,
  EdgeCounters,
  EdgeServed,
  EdgeServer,
  EdgeServerState,
  EdgeView,
  EdgeViewSource,
} from "./edge.ts";

/** How to drive an edge. */
export interface HaproxyEdgeOptions {
  /** Folder of HAProxy's configuration and sockets, at the same path for both sides. */
  directory: string;
  /** The end of HAProxy's output, to tell why it refused a configuration. */
  startupLog?: StartupLog;
  /** Account of the workers. @default "haproxy" when this process is root, else that of the process */
  user?: string;
  /** Longest time that one call may take once it is its turn, in milliseconds. @default 5000 */
  deadlineMs?: number;
}

/** An edge on HAProxy 2.6 or later, started as `haproxy -W -S <directory>/master.sock -f <directory>/haproxy.cfg`. */
export function createHaproxyEdge(options: HaproxyEdgeOptions): Edge {
  return new HaproxyEdge(options);
}

/** What is asked of an edge, one change after another, each within its deadline. */
class HaproxyEdge implements Edge {
  readonly #mutex = new Mutex();
  readonly #directory: string;
  readonly #config: LoadedConfig;
  readonly #workers: HaproxyWorkers;
  readonly #runtimeSocket: string;
  readonly #deadlineMs: number;

  constructor({ directory, startupLog, user, deadlineMs = 5000 }: HaproxyEdgeOptions) {
    const account = user ?? (process.getuid?.() === 0 ? "haproxy" : undefined);
    this.#directory = directory;
    this.#workers = new HaproxyWorkers(directory, startupLog);
    this.#config = new LoadedConfig(
      { directory, ipv6: existsSync("/proc/net/if_inet6"), ...(account === undefined ? {} : { user: account }) },
      this.#workers,
    );
    this.#runtimeSocket = haproxyPaths(directory).runtimeSocket;
    this.#deadlineMs = deadlineMs;
  }

  persist(view: EdgeViewSource): Promise<void> {
    return this.#mutex.run(() => this.#config.persist(resolve(view)));
  }

  ensure(view: EdgeViewSource): Promise<void> {
    return this.#exclusive((signal) => this.#config.ensure(resolve(view), signal));
  }

  certificates(app: string): Promise<string[]> {
    const path = join(this.#directory, "certs", `${app}-`);
    return this.#bounded((signal) => this.#runtime(signal, (run) => readFingerprints(run, path)));
  }

  configured(): Promise<EdgeApp[] | undefined> {
    return this.#mutex.run(() => readConfig(this.#directory));
  }

  alteredFiles(): Promise<string[]> {
    return this.#mutex.run(() => this.#config.altered());
  }

  rewrite(view: EdgeViewSource): Promise<void> {
    return this.#exclusive((signal) => this.#config.rewrite(resolve(view), signal));
  }

  addCandidates(app: EdgeApp): Promise<void> {
    return this.#exclusive(async (signal) => {
      checkEdgeApp(app);
      checkRoutesHaveServers(app);
      await this.#runtime(signal, (run) => serveCandidates(run, app, signal));
    });
  }

  removeCandidates(app: string): Promise<void> {
    return this.#exclusive((signal) => this.#runtime(signal, (run) => removeCandidates(run, app, signal)));
  }

  switchTo(app: EdgeApp, committed?: () => EdgeView): Promise<void> {
    return this.#exclusive(async (signal) => {
      checkEdgeApp(app);
      checkRoutesHaveServers(app);
      await this.#runtime(signal, (run) => switchServers(run, app, signal));
      if (committed !== undefined) await this.#config.persist(committed());
    });
  }

  share(app: string, newcomers: readonly EdgeServer[], percent: number): Promise<string[]> {
    return this.#exclusive((signal) => this.#runtime(signal, (run) => shareRequests(run, app, newcomers, percent)));
  }

  hold(app: string): Promise<void> {
    return this.#exclusive((signal) => this.#runtime(signal, (run) => holdRequests(run, app)));
  }

  draining(app: string, keep: readonly string[]): Promise<EdgeServerState[]> {
    return this.#bounded(async (signal) => {
      const serving = await this.#runtime(signal, readServers);
      const finishing = await this.#workers.oldServers(signal);
      // An old worker gives a server no new requests, whatever state it last heard of.
      const left = finishing.flatMap(({ servers }) => servers.filter((each) => each.connections > 0));
      const all = [...serving, ...left.map((each): RuntimeServer => ({ ...each, state: "drain" }))];
      return sumOverWorkers(all.filter((server) => belongsTo(app, server.backend) && !keep.includes(server.name)));
    });
  }

  removeServers(app: string, names: readonly string[]): Promise<void> {
    return this.#exclusive(async (signal) => {
      const isMeant = (server: RuntimeServer): boolean => belongsTo(app, server.backend) && names.includes(server.name);
      await this.#runtime(signal, async (run) => {
        const meant = (await readServers(run)).filter(isMeant);
        const serving = meant.find(
          (server) => !isCandidate(server.backend) && (server.state === "ready" || server.state === "down"),
        );
        if (serving !== undefined)
          throw new IkomaError(
            "EDGE_FAILED",
            `The server ${serving.name} of ${app} still serves; it has to be drained first.`,
          );
        await removeAll(run, meant, signal);
      });
      for (const { pid, servers } of await this.#workers.oldServers(signal)) {
        const busy = servers.filter((server) => isMeant(server) && server.connections > 0);
        if (busy.length > 0) await this.#workers.closeSessions(pid, busy, signal);
      }
    });
  }

  served(app: string): Promise<EdgeServed> {
    return this.#bounded((signal) => this.#runtime(signal, (run) => readServed(run, app)));
  }

  counters(app: string, names: readonly string[]): Promise<EdgeCounters[]> {
    return this.#bounded(async (signal) => {
      const serving = await this.#runtime(signal, async (run) => {
        const { pid } = parseInfo(await run("show info"));
        return parseCounters(pid, await run(serverCommands.stat));
      });
      const finishing = await this.#workers.oldCounters(signal);
      return [...serving, ...finishing].filter(
        ({ backend, server }) => belongsTo(app, backend) && !isCandidate(backend) && names.includes(server),
      );
    });
  }

  async version(): Promise<string | undefined> {
    try {
      return (await this.#bounded((signal) => this.#workers.info(signal))).version;
    } catch (error) {
      if (error instanceof IkomaError && error.code === "EDGE_FAILED") return undefined;
      throw error;
    }
  }

  #runtime<T>(signal: AbortSignal, use: (run: RunCommand) => Promise<T>): Promise<T> {
    return withRuntime(this.#runtimeSocket, signal, use);
  }

  #exclusive<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#mutex.run(() => this.#bounded(task));
  }

  #bounded<T>(task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return task(AbortSignal.timeout(this.#deadlineMs));
  }
}

function resolve(view: EdgeViewSource): EdgeView {
  return typeof view === "function" ? view() : view;
}
