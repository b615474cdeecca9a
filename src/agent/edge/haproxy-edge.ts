import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { IkomaError } from "../../core/errors.ts";
import { carryOver } from "./carry-over.ts";
import type { LiveState } from "./carry-over.ts";
import { ConfigFiles } from "./config-files.ts";
import { backendName, belongsTo, candidateName, isCandidate, parseRouteEntry, routeEntries } from "./edge-names.ts";
import { checkEdgeApp, checkEdgeView } from "./edge-view.ts";
import { candidateEntries, haproxyPaths, renderConfig } from "./haproxy-config.ts";
import type { HaproxyPlace, RenderedConfig } from "./haproxy-config.ts";
import { setHeld } from "./held-requests.ts";
import { withRuntime } from "./haproxy-sockets.ts";
import type { RunCommand } from "./haproxy-sockets.ts";
import { HaproxyWorkers } from "./haproxy-workers.ts";
import type { StartupLog } from "./haproxy-workers.ts";
import { Mutex } from "./mutex.ts";
import { readConfig } from "./read-config.ts";
import { readFingerprints } from "./runtime-certificates.ts";
import { parseCounters } from "./runtime-counters.ts";
import { replaceEntries } from "./runtime-map.ts";
import { perform, publicServers, readServers, removeAll } from "./runtime-servers.ts";
import { findMap, parseInfo, parseMap, serverCommands } from "./runtime-state.ts";
import type { RuntimeServer } from "./runtime-state.ts";
import { planShare } from "./share-plan.ts";
import { addServer, checkRoutesHaveServers, neededBackends, planSwitch, serverPath, setState } from "./switch-plan.ts";
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

const pollMs = 20;

/** An edge on HAProxy 2.6 or later, started as `haproxy -W -S <directory>/master.sock -f <directory>/haproxy.cfg`. */
export function createHaproxyEdge(options: HaproxyEdgeOptions): Edge {
  return new HaproxyEdge(options);
}

class HaproxyEdge implements Edge {
  readonly #mutex = new Mutex();
  readonly #place: HaproxyPlace;
  readonly #files: ConfigFiles;
  readonly #workers: HaproxyWorkers;
  readonly #runtimeSocket: string;
  readonly #deadlineMs: number;

  constructor({ directory, startupLog, user, deadlineMs = 5000 }: HaproxyEdgeOptions) {
    const account = user ?? (process.getuid?.() === 0 ? "haproxy" : undefined);
    this.#place = {
      directory,
      ipv6: existsSync("/proc/net/if_inet6"),
      ...(account === undefined ? {} : { user: account }),
    };
    this.#files = new ConfigFiles(directory);
    this.#workers = new HaproxyWorkers(directory, startupLog);
    this.#runtimeSocket = haproxyPaths(directory).runtimeSocket;
    this.#deadlineMs = deadlineMs;
  }

  persist(view: EdgeViewSource): Promise<void> {
    return this.#mutex.run(() => this.#persist(resolve(view)));
  }

  ensure(view: EdgeViewSource): Promise<void> {
    return this.#exclusive(async (signal) => {
      const wanted = resolve(view);
      const ledger = this.#render(wanted);
      if (!(await this.#runs(ledger, signal))) await this.#reload(wanted, signal);
      await this.#files.write(ledger);
      await this.#files.prune(ledger);
    });
  }

  certificates(app: string): Promise<string[]> {
    const path = join(this.#place.directory, "certs", `${app}-`);
    return this.#bounded((signal) => this.#runtime(signal, (run) => readFingerprints(run, path)));
  }

  configured(): Promise<EdgeApp[] | undefined> {
    return this.#mutex.run(() => readConfig(this.#place.directory));
  }

  alteredFiles(): Promise<string[]> {
    return this.#mutex.run(() => this.#files.altered());
  }

  rewrite(view: EdgeViewSource): Promise<void> {
    return this.#exclusive(async (signal) => {
      const wanted = resolve(view);
      const ledger = this.#render(wanted);
      this.#files.distrust();
      await this.#files.write(ledger);
      await this.#reload(wanted, signal);
      await this.#files.write(ledger);
      await this.#files.prune(ledger);
    });
  }

  addCandidates(app: EdgeApp): Promise<void> {
    return this.#exclusive(async (signal) => {
      checkEdgeApp(app);
      checkRoutesHaveServers(app);
      await this.#runtime(signal, async (run) => {
        await this.#removeCandidates(run, app.app, signal);
        for (const server of app.servers) {
          const path = serverPath(app.app, server, candidateName);
          await perform(run, [addServer(path, server, false), setState(path, "ready")]);
        }
        await replaceEntries(
          run,
          findMap(await run("show map"), "candidates"),
          app.app,
          new Map(candidateEntries(app)),
        );
      });
    });
  }

  removeCandidates(app: string): Promise<void> {
    return this.#exclusive(async (signal) => {
      await this.#runtime(signal, (run) => this.#removeCandidates(run, app, signal));
    });
  }

  switchTo(app: EdgeApp, committed?: () => EdgeView): Promise<void> {
    return this.#exclusive(async (signal) => {
      checkEdgeApp(app);
      checkRoutesHaveServers(app);
      await this.#runtime(signal, async (run) => {
        const plan = planSwitch(await publicServers(run, app.app), app);
        await perform(run, [...plan.prepare, ...plan.activate]);
        await this.#untilServed(run, app, signal);
        const maps = await run("show map");
        await replaceEntries(run, findMap(maps, "routes"), app.app, routeEntries(app));
        if (app.servers.length > 0) await setHeld(run, findMap(maps, "held"), app.app, false);
        await perform(run, plan.drain);
      });
      if (committed !== undefined) await this.#persist(committed());
    });
  }

  share(app: string, newcomers: readonly EdgeServer[], percent: number): Promise<string[]> {
    return this.#exclusive((signal) =>
      this.#runtime(signal, async (run) => {
        const { commands, sharing } = planShare(app, await publicServers(run, app), newcomers, percent);
        await perform(run, commands);
        return sharing;
      }),
    );
  }

  hold(app: string): Promise<void> {
    return this.#exclusive((signal) =>
      this.#runtime(signal, async (run) => {
        await setHeld(run, findMap(await run("show map"), "held"), app, true);
      }),
    );
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
    return this.#bounded((signal) =>
      this.#runtime(signal, async (run) => {
        const maps = await run("show map");
        const routes = parseMap(await run(`show map ${findMap(maps, "routes")}`));
        const hosts = parseMap(await run(`show map ${findMap(maps, "hosts")}`));
        return {
          routes: [...routes].flatMap(([key, backend]) => parseRouteEntry(app, key, backend) ?? []),
          domains: [...hosts].flatMap(([host, owner]) => (owner === app && host !== "*" ? [host] : [])),
          servers: sumOverWorkers(await publicServers(run, app)),
        };
      }),
    );
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

  #render(view: EdgeView): RenderedConfig {
    checkEdgeView(view);
    return renderConfig(view, [], this.#place);
  }

  async #persist(view: EdgeView): Promise<void> {
    const rendered = this.#render(view);
    await this.#files.write(rendered);
    await this.#files.prune(rendered);
  }

  /** Loads a configuration in which everybody serves as before (see {@link carryOver}); what HAProxy refuses is taken back. */
  async #reload(wanted: EdgeView, signal: AbortSignal): Promise<void> {
    const live = await this.#live(signal);
    const carried = live === undefined ? { view: wanted, candidates: [] } : carryOver(wanted, live);
    const rendered = renderConfig(carried.view, carried.candidates, this.#place, live?.held);
    const before = await this.#files.current();
    await this.#files.write(rendered);
    try {
      await this.#workers.reload(rendered.base, signal);
    } catch (error) {
      await this.#files.restore(before);
      throw error;
    }
  }

  /** What the running process serves; undefined when it does not run a configuration of the agent's. */
  async #live(signal: AbortSignal): Promise<LiveState | undefined> {
    if ((await this.#workers.info(signal)).base === "") return undefined;
    return this.#runtime(signal, async (run) => {
      const maps = await run("show map");
      const map = async (name: "routes" | "candidates" | "held") =>
        parseMap(await run(`show map ${findMap(maps, name)}`));
      return {
        routes: await map("routes"),
        candidateRoutes: await map("candidates"),
        servers: await readServers(run),
        // One that an older agent configured holds nothing.
        held: maps.includes("/held-") ? [...(await map("held")).keys()] : [],
      };
    });
  }

  /** Whether the worker that serves can be brought to the configuration without a reload. */
  async #runs(rendered: RenderedConfig, signal: AbortSignal): Promise<boolean> {
    if ((await this.#workers.info(signal)).base !== rendered.base) return false;
    // Backends too many do no harm, and taking them away can wait for the next reload.
    const running = await this.#workers.backends(signal);
    return rendered.backends.every((backend) => running.has(backend));
  }

  /** An added server is up at once; one that was already there may have to pass a check first. */
  async #untilServed(run: RunCommand, app: EdgeApp, signal: AbortSignal): Promise<void> {
    for (;;) {
      const servers = await publicServers(run, app.app);
      const isUp = (backend: string): boolean =>
        app.servers.some(
          (wanted) =>
            backendName(app.app, wanted) === backend &&
            servers.some((each) => each.backend === backend && each.name === wanted.name && each.state === "ready"),
        );
      const missing = neededBackends(app).filter((backend) => !isUp(backend));
      if (missing.length === 0) return;
      if (signal.aborted)
        throw new IkomaError(
          "EDGE_FAILED",
          `HAProxy finds no server up for ${missing.join(", ")}; the ones before serve on.`,
        );
      await Promise.race([sleep(pollMs), aborted(signal)]);
    }
  }

  async #removeCandidates(run: RunCommand, app: string, signal: AbortSignal): Promise<void> {
    await replaceEntries(run, findMap(await run("show map"), "candidates"), app, new Map());
    const servers = await readServers(run);
    await removeAll(
      run,
      servers.filter((each) => belongsTo(app, each.backend) && isCandidate(each.backend)),
      signal,
    );
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

/** One entry per server, with the connections of all workers; the state is that of the first that is given. */
function sumOverWorkers(servers: readonly RuntimeServer[]): EdgeServerState[] {
  const sums = new Map<string, EdgeServerState>();
  for (const { name, backend, address, port, state, connections, weight } of servers) {
    const key = `${backend}/${name}`;
    const known = sums.get(key);
    if (known === undefined) sums.set(key, { name, backend, address, port, state, connections, weight });
    else known.connections += connections;
  }
  return [...sums.values()];
}

function resolve(view: EdgeViewSource): EdgeView {
  return typeof view === "function" ? view() : view;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    signal.addEventListener(
      "abort",
      () => {
        done();
      },
      { once: true },
    );
  });
}
