import { labels, type Container, type Containers } from "../engine/containers.ts";

/** Name of the agent that works. */
export const agentName = "ikoma-agent";
/** Name of one that is to take over, until it does. */
export const successorName = "ikoma-agent-next";
const predecessorName = "ikoma-agent-before";

const stopSeconds = 10;

/** By which a container of the agent finds itself among the others. */
const instanceLabel = "dev.ikoma.instance";

/** The agent's own container, and that of the agent before it. */
export class AgentContainers {
  readonly self: Container;
  /** Undefined where there is none, or none any more. */
  readonly before: Container | undefined;
  readonly #containers: Containers;
  /** What attempts that nobody ended have left. */
  readonly #stale: readonly Container[];

  private constructor(containers: Containers, self: Container, [before, ...stale]: readonly Container[]) {
    this.#containers = containers;
    this.self = self;
    this.before = before;
    this.#stale = stale;
  }

  /** @param instance what the installation has labelled this container with */
  static async look(containers: Containers, instance: string): Promise<AgentContainers> {
    const all = await containers.list({ [labels.part]: "agent" });
    const self = all.find((each) => each.Config.Labels?.[instanceLabel] === instance);
    if (self === undefined) throw new Error(`no container carries the label ${instanceLabel}=${instance}`);
    // One that was made later is a successor of this one.
    const older = all.filter((each) => each.Id !== self.Id && each.Created < self.Created);
    return new AgentContainers(
      containers,
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
    await this.#containers.setRestart(this.self.Id, "unless-stopped");
    for (const { Id } of this.#stale) await this.#containers.remove(Id);
    if (this.before !== undefined) {
      await this.#containers.stop(this.before.Id, stopSeconds);
      await this.#containers.rename(this.before.Id, predecessorName);
    }
    await this.#containers.rename(this.self.Id, agentName);
  }

  /** The reverse of {@link replace}. */
  async putBack(): Promise<void> {
    if (this.before !== undefined) {
      await this.#containers.rename(this.self.Id, successorName);
      await this.#containers.rename(this.before.Id, agentName);
      await this.#containers.start(this.before.Id);
    }
    await this.#containers.setRestart(this.self.Id, "no");
  }

  /** Removes the agent before: there is no way back. */
  async removeBefore(): Promise<void> {
    if (this.before !== undefined) await this.#containers.remove(this.before.Id);
  }
}

function rank({ State, Name }: Container): number {
  return (State.Running ? 2 : 0) + (Name === `/${agentName}` ? 1 : 0);
}
