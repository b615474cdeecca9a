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
  /** Hosts without a provider in this run, by name. */
  readonly #others = new Map<string, HostInstance>();
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

  /** Every host that is known: those with a provider, and those that are only in the settings. */
  all(): readonly HostInstance[] {
    const configured = [...this.#byPeer.values()];
    const names = new Set([...configured, ...this.#others.values()].map(({ name }) => name));
    for (const [name, way] of Object.entries(this.#current.hosts)) {
      if (!names.has(name))
        this.#others.set(name, new HostInstance({ host: name, offline: false, ...way }, this.#access, this.#current));
    }
    return [...configured, ...this.#others.values()];
  }

  async close(): Promise<void> {
    const instances = [...this.#byPeer.values(), ...this.#others.values()];
    this.#byPeer.clear();
    this.#others.clear();
    await Promise.all(instances.map((instance) => instance.close()));
  }
}
