import { link, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { haproxyPaths } from "../edge/haproxy-config.ts";
import { edgeContainerName, ensureEdgeRuns } from "../edge-container.ts";
import type { Host } from "../host.ts";

const beforeName = `${edgeContainerName}-before`;
const suffix = ".before";
const drainSeconds = 30;
const undoSeconds = 5;

/** What it needs of a host. */
type EdgePlace = Pick<Host, "containers" | "images" | "settings" | "paths">;

/**
 * The edge in another version: the new one listens beside the old one on the same ports, and the old one ends its
 * connections in its own time.
 */
export class EdgeReplacement {
  readonly #host: EdgePlace;

  constructor(host: EdgePlace) {
    this.#host = host;
  }

  /** Makes room for the new edge, where the one that is there is of another image. The old one serves on. */
  async begin(): Promise<void> {
    const { containers, images, settings } = this.#host;
    const existing = await containers.inspect(edgeContainerName);
    if (existing === undefined) return;
    if (existing.Image === (await images.inspect(settings.edgeImage))?.Id) return;
    await containers.remove(beforeName);
    await containers.rename(edgeContainerName, beforeName);
    // Under a second name the old edge's sockets outlive that the new one takes theirs.
    for (const socket of await this.#sockets(".sock")) {
      await rm(`${socket}${suffix}`, { force: true });
      await link(socket, `${socket}${suffix}`);
    }
    // Nobody is to take the old one's answer for the new one's. The other two carry visitors.
    const { masterSocket, runtimeSocket } = haproxyPaths(this.#host.paths.edge);
    for (const socket of [masterSocket, runtimeSocket]) await rm(socket, { force: true });
  }

  /** The old edge is the only one again. */
  async undo(): Promise<void> {
    const { containers } = this.#host;
    const before = await containers.inspect(beforeName);
    if (before === undefined) return;
    // First, for an edge that ends hands what it has just accepted to the one whose socket is there; its own is closed.
    for (const socket of await this.#sockets(suffix)) await rename(socket, socket.slice(0, -suffix.length));
    // Its visitors' requests end first; the old one takes all new ones meanwhile.
    await containers.stop(edgeContainerName, undoSeconds);
    await containers.remove(edgeContainerName);
    await containers.rename(beforeName, edgeContainerName);
    await containers.start(edgeContainerName);
  }

  /** Lets the old edge end; resolves when it has. */
  async finish(): Promise<void> {
    const { containers } = this.#host;
    if ((await containers.inspect(beforeName)) === undefined) return;
    await containers.setRestart(beforeName, "no");
    await containers.stop(beforeName, drainSeconds);
    await containers.remove(beforeName);
    for (const socket of await this.#sockets(suffix)) await rm(socket, { force: true });
  }

  /**
   * Ends an old edge whose end a crash cut off: two would serve, and only one of them be told of a switch. After a boot
   * it may have been the one with the sockets; the one that stays makes its own when it is started.
   */
  async endLeftOver(host: Host): Promise<void> {
    const { containers } = this.#host;
    if ((await containers.inspect(beforeName)) === undefined) return;
    await this.finish();
    if ((await host.edge.version()) === undefined) await containers.stop(edgeContainerName, undoSeconds);
    await ensureEdgeRuns(host);
  }

  async #sockets(ending: string): Promise<string[]> {
    const { edge } = this.#host.paths;
    return (await readdir(edge)).filter((name) => name.endsWith(ending)).map((name) => join(edge, name));
  }
}
