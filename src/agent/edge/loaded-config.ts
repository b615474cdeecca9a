import { carryOver } from "./carry-over.ts";
import type { LiveState } from "./carry-over.ts";
import { ConfigFiles } from "./config-files.ts";
import { checkEdgeView } from "./edge-view.ts";
import { haproxyPaths, renderConfig } from "./haproxy-config.ts";
import type { HaproxyPlace, RenderedConfig } from "./haproxy-config.ts";
import { withRuntime } from "./haproxy-sockets.ts";
import type { HaproxyWorkers } from "./haproxy-workers.ts";
import { readServers } from "./runtime-servers.ts";
import { findMap, parseMap } from "./runtime-state.ts";
import type { EdgeView } from "./edge.ts";

/**
 * HAProxy's configuration, on disk and as it is loaded. What is on disk is the ledger's, for the next start; what is
 * loaded may be more: releases in preparation, requests that wait. One call at a time: the caller sees to that.
 */
export class LoadedConfig {
  readonly #place: HaproxyPlace;
  readonly #files: ConfigFiles;
  readonly #workers: HaproxyWorkers;

  constructor(place: HaproxyPlace, workers: HaproxyWorkers) {
    this.#place = place;
    this.#files = new ConfigFiles(place.directory);
    this.#workers = workers;
  }

  /** Writes the configuration for a view; HAProxy does not read it now. */
  async persist(view: EdgeView): Promise<void> {
    await this.#write(this.#render(view));
  }

  /** As {@link persist}; and HAProxy reads it where that changes what it does. */
  async ensure(wanted: EdgeView, signal: AbortSignal): Promise<void> {
    const ledger = this.#render(wanted);
    if (!(await this.#runs(ledger, signal))) await this.#reload(wanted, signal);
    await this.#write(ledger);
  }

  /** Writes every file anew, whatever is there, and has HAProxy read them. */
  async rewrite(wanted: EdgeView, signal: AbortSignal): Promise<void> {
    const ledger = this.#render(wanted);
    this.#files.distrust();
    await this.#files.write(ledger);
    await this.#reload(wanted, signal);
    await this.#write(ledger);
  }

  /** Files that are not as they were written. */
  altered(): Promise<string[]> {
    return this.#files.altered();
  }

  #render(view: EdgeView): RenderedConfig {
    checkEdgeView(view);
    return renderConfig(view, [], this.#place);
  }

  async #write(rendered: RenderedConfig): Promise<void> {
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
    return withRuntime(haproxyPaths(this.#place.directory).runtimeSocket, signal, async (run) => {
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
}
