import * as z from "zod";
import type { VolumeSpec } from "../../core/deployer/release-spec.ts";
import { labels } from "./containers.ts";
import type { EngineApi } from "./engine-api.ts";

/** Name of an app's volume on the host: stable, so that data outlives every release and re-installation. */
export function volumeName(app: string, volume: string, spec: VolumeSpec): string {
  return spec.name ?? (spec.external ? volume : `${app}_${volume}`);
}

/** The named volumes of the host. There is no method to remove one: nothing here ever deletes data. */
export class Volumes {
  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  async exists(name: string): Promise<boolean> {
    return (
      (await this.#engine.find(z.object({ Name: z.string() }), `/volumes/${encodeURIComponent(name)}`)) !== undefined
    );
  }

  /** Creates the volume where there is none; an existing one is adopted as it is. */
  async ensure(name: string, app: string): Promise<void> {
    await this.#engine.raw({
      method: "POST",
      path: "/volumes/create",
      body: { Name: name, Labels: { [labels.app]: app } },
    });
  }
}
