import * as z from "zod";
import type { VolumeSpec } from "../../core/release/release-spec.ts";
import { IkomaError } from "../../core/errors.ts";
import { ignoring, labels } from "./containers.ts";
import { labelFilter } from "./engine-api.ts";
import type { EngineApi } from "./engine-api.ts";

/** Name of an app's volume on the host: stable, so that data outlives every release and re-installation. */
export function volumeName(app: string, volume: string, spec: VolumeSpec): string {
  return spec.name ?? (spec.external ? volume : `${app}_${volume}`);
}

const volume = z.object({ Name: z.string(), Labels: z.record(z.string(), z.string()).nullish() });
const usage = z.object({
  Volumes: z.array(z.object({ Name: z.string(), UsageData: z.object({ Size: z.number() }).nullish() })).nullish(),
});

/** The named volumes of the host. Data is deleted in one place only, {@link Volumes.removeOwn}, for a purge that names it. */
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

  /** Creates the volume where there is none, as the app's own unless it is external; an existing one is adopted as it is. */
  async ensure(
    name: string,
    app: string,
    { external }: Pick<VolumeSpec, "external"> = { external: false },
  ): Promise<void> {
    const own = external ? {} : { [labels.app]: app };
    await this.#engine.raw({ method: "POST", path: "/volumes/create", body: { Name: name, Labels: own } });
  }

  /** Names of the volumes that were made for the app; one that was there before, or is external, is none of them. */
  async ownOf(app: string): Promise<string[]> {
    const filter = labelFilter({ [labels.app]: app });
    const found = await this.#engine.json(z.object({ Volumes: z.array(volume).nullish() }), {
      path: `/volumes?${filter}`,
    });
    return (found.Volumes ?? []).map(({ Name }) => Name).sort();
  }

  /** All volumes of the host with what they take, in bytes. The engine adds it up file by file, which takes its time. */
  async sizes(): Promise<Map<string, number | undefined>> {
    const { Volumes: all } = await this.#engine.json(usage, { path: "/system/df", timeoutMs: 300_000 });
    return new Map(
      (all ?? []).map(({ Name, UsageData }) => [
        Name,
        UsageData != null && UsageData.Size >= 0 ? UsageData.Size : undefined,
      ]),
    );
  }

  /** Containers that have the volume, stopped ones too. */
  async usersOf(name: string): Promise<string[]> {
    const filters = encodeURIComponent(JSON.stringify({ volume: [name] }));
    const found = await this.#engine.json(z.array(z.object({ Names: z.array(z.string()) })), {
      path: `/containers/json?all=true&filters=${filters}`,
    });
    return found.map(({ Names }) => (Names[0] ?? "").replace(/^\//, ""));
  }

  /** Deletes a volume and the data in it, if it was made for the app and no container has it. One that is gone is well. */
  async removeOwn(name: string, app: string): Promise<void> {
    if (!(await this.exists(name))) return;
    if (!(await this.ownOf(app)).includes(name))
      throw new IkomaError("APP_IN_USE", `The volume ${name} was not made for ${app}: it stays.`);
    await ignoring([404], () =>
      this.#engine.raw({ method: "DELETE", path: `/volumes/${encodeURIComponent(name)}`, timeoutMs: 300_000 }),
    );
  }
}
