import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { OperationRunner } from "../../../src/agent/operations/operation-runner.ts";
import { occasionalPhases, releasePhases } from "../../../src/agent/protocol/phases.ts";
import type { OperationInput, OperationKind } from "../../../src/agent/protocol/operations.ts";
import type { ReleasePhase } from "../../../src/agent/protocol/phases.ts";
import { recover } from "../../../src/agent/recovery.ts";
import { waitUntil } from "../../lab/wait-until.ts";
import type { TestHost } from "./host.ts";
import { aRequest } from "./inputs.ts";

/** The phases of a release that goes through these of the occasional ones, before and after it is decided. */
export function phasesWith(...occasional: ReleasePhase[]): { undone: ReleasePhase[]; done: ReleasePhase[] } {
  const phases = releasePhases.filter((each) => !(each in occasionalPhases) || occasional.includes(each));
  const decided = phases.indexOf("switched");
  return { undone: phases.slice(0, decided), done: phases.slice(decided) };
}

/** Agents of a host that die in the middle of a deploy. */
export class Crashes {
  readonly #on: TestHost;
  readonly #running: OperationRunner[] = [];

  constructor(on: TestHost) {
    this.#on = on;
  }

  /** An agent that is told to stand still in a phase of a deploy; gives the operation's key when it does. */
  async in(phase: string, release: OperationInput<"release.apply">): Promise<string> {
    await writeFile(join(this.#on.host.paths.hold, phase), "");
    return this.when(`it is in ${phase}`, release, (key) => this.#on.host.journal.find(key)?.phase === phase);
  }

  /** An agent whose operation (a deploy, where no other is named) has come so far; the next thing is to be its death. */
  async when<K extends OperationKind = "release.apply">(
    what: string,
    input: OperationInput<K>,
    isSoFar: (key: string) => boolean,
    kind?: K,
  ): Promise<string> {
    const runner = new OperationRunner(this.#on.host);
    this.#running.push(runner);
    const request = aRequest(kind ?? "release.apply", input);
    runner.start(request);
    await waitUntil(what, () => isSoFar(request.key));
    return request.key;
  }

  /** The agents that were not let die yet, which are forgotten. */
  take(): OperationRunner[] {
    return this.#running.splice(0);
  }

  /** The code of the dead agent is still in this process: from now on it changes nothing, and ends. A new one recovers. */
  async restart(): Promise<void> {
    const dead = this.#on.host;
    const throwing = <T extends object>(part: T): T =>
      new Proxy(part, {
        get: () => () => {
          throw new Error("this agent is dead");
        },
      });
    const { edge, containers, networks, compose, deployments, parts, subnets } = dead;
    const gone = { edge, containers, networks, compose, deployments, parts, subnets };
    Object.assign(dead, Object.fromEntries(Object.entries(gone).map(([name, part]) => [name, throwing(part)])));
    const keys = dead.journal.running().map((each) => each.key);
    dead.journal = new Proxy(dead.journal, { get: () => () => undefined });
    for (const runner of this.take()) for (const key of keys) runner.cancel(key);
    await recover(this.#on.restart());
  }
}
