import { link, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { haproxyPaths } from "../edge/haproxy-config.ts";
import { edgeContainerName } from "../edge-container.ts";
import { ignoring } from "../engine/containers.ts";
import type { Host } from "../host.ts";

const beforeName = `${edgeContainerName}-before`;
const suffix = ".before";
const drainSeconds = 30;
const undoSeconds = 5;

/** What it needs of a host. */
type EdgePlace = Pick<Host, "containers" | "engine" | "settings" | "paths">;

const imageId = z.object({ Id: z.string() });

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
    const { containers, engine, settings } = this.#host;
    const existing = await containers.inspect(edgeContainerName);
    if (existing === undefined) return;
    const path = `/images/${encodeURIComponent(settings.edgeImage)}/json`;
    if (existing.Image === (await engine.json(imageId, { path })).Id) return;
    await this.#remove(beforeName);
    await this.#rename(edgeContainerName, beforeName);
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
    // Its visitors' requests end first; the old one takes all new ones meanwhile.
    await this.#stop(edgeContainerName, undoSeconds);
    await this.#remove(edgeContainerName);
    await this.#rename(beforeName, edgeContainerName);
    for (const socket of await this.#sockets(suffix)) await rename(socket, socket.slice(0, -suffix.length));
    await containers.start(edgeContainerName);
  }

  /** Lets the old edge end; resolves when it has. */
  async finish(): Promise<void> {
    const { containers, engine } = this.#host;
    const before = await containers.inspect(beforeName);
    if (before === undefined) return;
    const body = { RestartPolicy: { Name: "no" } };
    await ignoring([404], () => engine.raw({ method: "POST", path: `/containers/${before.Id}/update`, body }));
    await this.#stop(beforeName, drainSeconds);
    await this.#remove(beforeName);
    for (const socket of await this.#sockets(suffix)) await rm(socket, { force: true });
  }

  async #stop(name: string, seconds: number): Promise<void> {
    const path = `/containers/${name}/stop?t=${seconds}`;
    await ignoring([304, 404], () => this.#host.engine.raw({ method: "POST", path, timeoutMs: 2 * seconds * 1000 }));
  }

  async #sockets(ending: string): Promise<string[]> {
    const { edge } = this.#host.paths;
    return (await readdir(edge)).filter((name) => name.endsWith(ending)).map((name) => join(edge, name));
  }

  async #remove(name: string): Promise<void> {
    await ignoring([404, 409], () =>
      this.#host.engine.raw({ method: "DELETE", path: `/containers/${name}?force=true` }),
    );
  }

  async #rename(from: string, to: string): Promise<void> {
    await this.#host.engine.raw({ method: "POST", path: `/containers/${from}/rename?name=${to}` });
  }
}
