import { existsSync } from "node:fs";
import { chmod, mkdir, readFile, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { writeDurably } from "../durable-file.ts";
import { haproxyPaths } from "./haproxy-config.ts";
import type { RenderedConfig } from "./haproxy-config.ts";

/**
 * HAProxy's files on disk. Maps and certificates are named by their content and written first; replacing
 * haproxy.cfg then changes everything at once, also if the power fails in between.
 */
export class ConfigFiles {
  readonly #paths: ReturnType<typeof haproxyPaths>;
  readonly #directory: string;
  /** What was written last. */
  #written: RenderedConfig | undefined;
  /** What was written before that. */
  #before: RenderedConfig | undefined;
  #isTrusted = true;

  constructor(directory: string) {
    this.#directory = directory;
    this.#paths = haproxyPaths(directory);
  }

  /** The configuration that a start of HAProxy would read; undefined before the first. */
  async current(): Promise<string | undefined> {
    return existsSync(this.#paths.config) ? readFile(this.#paths.config, "utf8") : undefined;
  }

  /** Writes what is not there yet; on disk when it returns. Files of the configuration before stay, see {@link prune}. */
  async write(rendered: RenderedConfig): Promise<void> {
    await this.#folders();
    const present = new Set(this.#isTrusted ? await this.#named() : []);
    for (const [path, content] of rendered.files) {
      if (!present.has(path)) await writeDurably(path, content);
    }
    if ((await this.current()) !== rendered.config) await writeDurably(this.#paths.config, rendered.config);
    this.#before = this.#written;
    this.#written = rendered;
    this.#isTrusted = true;
  }

  /** The next write goes over every file, also over those of the right name: somebody may have changed what is in them. */
  distrust(): void {
    this.#isTrusted = false;
  }

  /** Names of the files that are not as they were written last; none before the first time. */
  async altered(): Promise<string[]> {
    if (this.#written === undefined) return [];
    const { config, files } = this.#written;
    const all = [...files, [this.#paths.config, config] as const];
    const isAltered = await Promise.all(
      all.map(async ([path, content]) => (await readFile(path, "utf8").catch(() => undefined)) !== content),
    );
    return all.filter((_, index) => isAltered[index]).map(([path]) => basename(path));
  }

  /** Puts an earlier configuration back; its other files must not have been pruned. */
  async restore(config: string | undefined): Promise<void> {
    this.#written = this.#before;
    if (config === undefined) await rm(this.#paths.config, { force: true });
    else await writeDurably(this.#paths.config, config);
  }

  /** Removes the maps and certificates (private keys) that the configuration does not name. */
  async prune(rendered: RenderedConfig): Promise<void> {
    for (const path of await this.#named()) {
      if (!rendered.files.has(path)) await rm(path, { force: true });
    }
  }

  async #folders(): Promise<void> {
    await mkdir(this.#directory, { recursive: true });
    // The workers' account has to reach the relay socket in it; everything else in it is closed by its own mode.
    await chmod(this.#directory, 0o711);
    for (const folder of [this.#paths.maps, this.#paths.certificates])
      await mkdir(folder, { recursive: true, mode: 0o700 });
  }

  async #named(): Promise<string[]> {
    const lists = [this.#paths.maps, this.#paths.certificates].map(async (folder) =>
      (await readdir(folder)).map((name) => join(folder, name)),
    );
    return (await Promise.all(lists)).flat();
  }
}
