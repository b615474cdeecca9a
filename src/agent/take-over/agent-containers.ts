import { ignoring, labels, type Container, type Containers } from "../engine/containers.ts";
import type { EngineApi } from "../engine/engine-api.ts";

/** Name of the agent that works. */
export const agentName = "ikoma-agent";
/** Name of one that is to take over, until it does. */
export const successorName = "ikoma-agent-next";
const predecessorName = "ikoma-agent-before";

/** By which a container of the agent finds itself among the others. */
const instanceLabel = "dev.ikoma.instance";

/** The agent's own container, and that of the agent before it. */
export class AgentContainers {
  readonly self: Container;
  /** Undefined where there is none, or none any more. */
  readonly before: Container | undefined;
  readonly #engine: EngineApi;
  /** What attempts that nobody ended have left. */
  readonly #stale: readonly Container[];

  private constructor(engine: EngineApi, self: Container, [before, ...stale]: readonly Container[]) {
    this.#engine = engine;
    this.self = self;
    this.before = before;
    this.#stale = stale;
  }

  /** @param instance what the installation has labelled this container with */
  static async look(engine: EngineApi, containers: Containers, instance: string): Promise<AgentContainers> {
    const all = await containers.list({ [labels.part]: "agent" });
    const self = all.find((each) => each.Config.Labels?.[instanceLabel] === instance);
    if (self === undefined) throw new Error(`no container carries the label ${instanceLabel}=${instance}`);
    // One that was made later is a successor of this one.
    const older = all.filter((each) => each.Id !== self.Id && each.Created < self.Created);
    return new AgentContainers(
      engine,
      self,
      older.sort((one, other) => rank(other) - rank(one)),
    );
  }

  /** Whether the name of the working agent is this container's. */
  get isSettled(): boolean {
    return this.before === undefined && this.self.Name === `/${agentName}`;
  }

  /** Ends the agent before and takes its name; from here on this container outlives a reboot and that one does not. */
  async replace(): Promise<void> {
    await this.#keep(this.self.Id, "unless-stopped");
    for (const { Id } of this.#stale) await this.#remove(Id);
    if (this.before !== undefined) {
      await ignoring([304, 404], () => this.#post(`/containers/${this.before?.Id ?? ""}/stop?t=10`));
      await this.#rename(this.before.Id, predecessorName);
    }
    await this.#rename(this.self.Id, agentName);
  }

  /** The reverse of {@link replace}. */
  async putBack(): Promise<void> {
    if (this.before !== undefined) {
      await this.#rename(this.self.Id, successorName);
      await this.#rename(this.before.Id, agentName);
      await ignoring([304], () => this.#post(`/containers/${this.before?.Id ?? ""}/start`));
    }
    await this.#keep(this.self.Id, "no");
  }

  /** Removes the agent before: there is no way back. */
  async removeBefore(): Promise<void> {
    if (this.before !== undefined) await this.#remove(this.before.Id);
  }

  async #keep(id: string, restart: "no" | "unless-stopped"): Promise<void> {
    await this.#post(`/containers/${id}/update`, { RestartPolicy: { Name: restart } });
  }

  /** 400 says that it has the name already, 404 that somebody removed it. */
  async #rename(id: string, name: string): Promise<void> {
    const rename = () => this.#post(`/containers/${id}/rename?name=${name}`);
    await ignoring([400, 404], rename, /same name|no such container/i);
  }

  async #remove(id: string): Promise<void> {
    await ignoring([404, 409], () => this.#engine.raw({ method: "DELETE", path: `/containers/${id}?force=true` }));
  }

  async #post(path: string, body?: unknown): Promise<void> {
    await this.#engine.raw({ method: "POST", path, body, timeoutMs: 60_000 });
  }
}

function rank({ State, Name }: Container): number {
  return (State.Running ? 2 : 0) + (Name === `/${agentName}` ? 1 : 0);
}
