import { IkomaError } from "../../core/errors.ts";
import type { HostAccess } from "./agent-access.ts";
import { HostInstance } from "./host-instance.ts";
import type { CurrentConfig, ProviderConfig } from "./provider-config.ts";

/**
 * The configured providers by the connection that configured them. Attached to one port, all instances of a
 * program come to the same server and no call says which instance it means; but the engine keeps one
 * connection for each.
 */
export class HostInstances {
  readonly #byPeer = new Map<string, HostInstance>();
  readonly #access: HostAccess;
  readonly #current: CurrentConfig;

  constructor(access: HostAccess, current: CurrentConfig) {
    this.#access = access;
    this.#current = current;
  }

  async configure(peer: string, config: ProviderConfig): Promise<void> {
    await this.#byPeer.get(peer)?.close();
    this.#byPeer.set(peer, new HostInstance(config, this.#access, this.#current));
  }

  /** The instance of a connection. After a reconnect (another port) it is still certain when there is only one. */
  of(peer: string): HostInstance {
    const instance = this.find(peer);
    if (instance === undefined)
      throw new IkomaError("INTERNAL", `No provider was configured on the connection ${peer}.`);
    return instance;
  }

  /** Undefined as long as the configuration is not known, as in the preview of a host that is yet to be made. */
  find(peer: string): HostInstance | undefined {
    const known = this.#byPeer.get(peer);
    if (known !== undefined) return known;
    const [only, ...others] = this.#byPeer.values();
    return others.length > 0 ? undefined : only;
  }

  async close(): Promise<void> {
    const instances = [...this.#byPeer.values()];
    this.#byPeer.clear();
    await Promise.all(instances.map((instance) => instance.close()));
  }
}
