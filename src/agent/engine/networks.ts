import * as z from "zod";
import { ignoring, labels } from "./containers.ts";
import { labelFilter } from "./engine-api.ts";
import type { EngineApi } from "./engine-api.ts";

const network = z.object({
  Id: z.string(),
  Name: z.string(),
  Labels: z.record(z.string(), z.string()).nullable(),
  IPAM: z.object({ Config: z.array(z.object({ Subnet: z.string().optional() })).nullable() }),
});
/** A network of the engine. */
export type Network = z.infer<typeof network>;

/** The networks of the host, each with a subnet that the agent chose. */
export class Networks {
  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  async list(wanted: Record<string, string>): Promise<Network[]> {
    return this.#engine.json(z.array(network), { path: `/networks?${labelFilter(wanted)}` });
  }

  /** Subnets that any network of the host uses, the agent's or not. */
  async subnetsInUse(): Promise<string[]> {
    const all = await this.#engine.json(z.array(network), { path: "/networks" });
    return all
      .flatMap((each) => (each.IPAM.Config ?? []).map((config) => config.Subnet ?? ""))
      .filter((each) => each !== "");
  }

  /** The subnet of a network; undefined where there is no such network. */
  async subnetOf(name: string): Promise<string | undefined> {
    const found = await this.#engine.find(network, `/networks/${encodeURIComponent(name)}`);
    return found?.IPAM.Config?.find((each) => each.Subnet !== undefined)?.Subnet;
  }

  /** Creates the network, or leaves one of that name as it is. */
  async create(name: string, subnet: string, own: Record<string, string>): Promise<void> {
    // CheckDuplicate: the engine would otherwise make a second network of the same name.
    await ignoring([409], () =>
      this.#engine.raw({
        method: "POST",
        path: "/networks/create",
        body: {
          Name: name,
          CheckDuplicate: true,
          Driver: "bridge",
          IPAM: { Config: [{ Subnet: subnet }] },
          Labels: own,
        },
      }),
    );
  }

  /** Attaches a container under the given names; a repeat changes nothing. */
  async connect(name: string, containerId: string, aliases: string[], address: string): Promise<void> {
    await ignoring(
      [403],
      () =>
        this.#engine.raw({
          method: "POST",
          path: `/networks/${encodeURIComponent(name)}/connect`,
          body: { Container: containerId, EndpointConfig: { Aliases: aliases, IPAMConfig: { IPv4Address: address } } },
        }),
      // An address that is in use is refused with 403 too.
      /already exists in network/,
    );
  }

  /** Takes a container off a network; one that is not on it stays as it is. */
  async disconnect(name: string, containerId: string): Promise<void> {
    await ignoring([404], () =>
      this.#engine.raw({
        method: "POST",
        path: `/networks/${encodeURIComponent(name)}/disconnect`,
        body: { Container: containerId, Force: true },
      }),
    );
  }

  /**
   * Removes the network; whatever is still attached (accessories) is detached first, stopped ones too: the engine
   * lets a network go that a stopped container is on, and the container can then never be started again.
   */
  async remove(name: string): Promise<void> {
    const path = `/networks/${encodeURIComponent(name)}`;
    const found = await this.#engine.find(network, path);
    if (found === undefined) return;
    const filters = encodeURIComponent(JSON.stringify({ network: [found.Id] }));
    const attached = await this.#engine.json(z.array(z.object({ Id: z.string() })), {
      path: `/containers/json?all=true&filters=${filters}`,
    });
    await Promise.all(attached.map(({ Id }) => this.disconnect(name, Id)));
    await ignoring([404], () => this.#engine.raw({ method: "DELETE", path }));
  }
}

/** Labels of a network or container of a part of an app. */
export function ownLabels(
  app: string,
  part: "release" | "accessories" | "migration",
  deployment?: number,
): Record<string, string> {
  return {
    [labels.app]: app,
    [labels.part]: part,
    ...(deployment === undefined ? {} : { [labels.deployment]: String(deployment) }),
  };
}
