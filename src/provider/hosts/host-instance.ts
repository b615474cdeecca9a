import type { HostWay, HostSetup } from "../../core/config/schema.ts";
import { IkomaError } from "../../core/errors.ts";
import type { AgentAccess, HostAccess } from "./agent-access.ts";
import type { CurrentConfig, ProviderConfig } from "./provider-config.ts";

/** One configured provider: a host, and the connection to its agent, opened when it is first needed. */
export class HostInstance {
  readonly name: string;
  /** Any of them in common, and it is the same host: its name, and its place, which stays when it is named anew. */
  readonly marks: readonly string[];
  readonly offline: boolean;
  /** What is on it is to be forgotten, unseen. */
  readonly isForgotten: boolean;
  readonly #host: HostWay;
  readonly #access: HostAccess;
  #agent: Promise<AgentAccess> | undefined;

  /** `current.hosts` is how hosts are reached now, where that is known to be newer than `config`. */
  constructor(config: ProviderConfig, access: HostAccess, current: CurrentConfig) {
    const { host, offline, ...connection } = config;
    this.name = host;
    this.isForgotten = current.forgetHost === host;
    this.offline = offline || current.offline || current.forgetHost !== undefined;
    this.#host = current.hosts[host] ?? connection;
    this.marks = [host, placeOf(host, this.#host)];
    this.#access = access;
  }

  /** The agent; several calls share one connection, and a failed attempt is not kept. */
  agent(): Promise<AgentAccess> {
    this.refuseOffline();
    this.#agent ??= this.#access.openAgent(this.#host, this.name).catch((error: unknown) => {
      this.#agent = undefined;
      throw error;
    });
    return this.#agent;
  }

  async installAgent(setup: HostSetup, onStep: (message: string) => void): Promise<void> {
    this.refuseOffline();
    await this.close();
    await this.#access.installAgent(this.#host, setup, onStep, this.name);
  }

  async removeAgent(): Promise<void> {
    this.refuseOffline();
    await this.close();
    await this.#access.removeAgent(this.#host, this.name);
  }

  async close(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    await agent?.then((each) => each.close()).catch(() => undefined);
  }

  private refuseOffline(): void {
    if (this.offline)
      throw new IkomaError("AGENT_OFFLINE", `The provider of ${this.name} is offline: it changes nothing.`);
  }
}

/** The API knows a host by its name. */
function placeOf(name: string, way: HostWay): string {
  if ("socket" in way) return way.socket;
  return "api" in way ? `${way.api} ${name}` : `${way.address}:${way.port}`;
}
