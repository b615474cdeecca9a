import { waitUntil } from "../../lab/wait-until.ts";
import { LoadProcess } from "../../load/load-process.ts";
import { inShort, type AgentHost, type ContainerSeen, type Settled } from "../fixture/index.ts";
import { httpGet, type Answer } from "../fixture/http-request.ts";
import { readLedger } from "../fixture/ledger-view.ts";
import { containersOf, worldOf } from "../fixture/world.ts";

/** An app on its server, seen from outside: engine, HAProxy, the ledger's file, and what visitors get. */
export class AppOnServer {
  readonly name: string;
  readonly #host: AgentHost;

  constructor(host: AgentHost, name: string) {
    this.#host = host;
    this.name = name;
  }

  /** One GET through the edge. */
  get(path = "/"): Promise<Answer> {
    return httpGet(this.#host.vps.address, `${this.name}.test`, path);
  }

  /** The versions that answer now, each once; what is no answer of the app counts as `none (status 503)`. */
  async versions(requests = 10): Promise<string[]> {
    const answers = await Promise.all(Array.from({ length: requests }, () => this.get()));
    return [...new Set(answers.map(({ version, status }) => (status === 200 && version) || `none (status ${status})`))];
  }

  containers(): Promise<ContainerSeen[]> {
    return containersOf(this.#host.vps, this.name);
  }

  /** The one running container of a service, once that of the release before has ended: it does so after the answer to a deploy. */
  container(service: string): Promise<ContainerSeen> {
    return waitUntil(`one container of ${service} runs`, async () => {
      const [only, ...others] = (await this.containers()).filter(
        (each) => each.status === "running" && each.name.endsWith(`-${service}-1`),
      );
      return others.length === 0 && only;
    });
  }

  /** A variable in the running container of a service. */
  async variable(name: string, service = "web"): Promise<string | undefined> {
    const { environment } = await this.container(service);
    return environment.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
  }

  /** All that there is of the app. */
  async inShort(): Promise<Settled> {
    return inShort(await worldOf(this.#host.vps, await this.#host.connection(), this.name));
  }

  /** `#1 good`, `#2 current`…, of the ledger. */
  async deployments(): Promise<string[]> {
    return (await this.inShort()).deployments;
  }

  /** Waits until a change of the app is under way and has come to the phase, by the journal's file. */
  async reached(phase: string): Promise<void> {
    await waitUntil(
      `${this.name} is in the phase ${phase}`,
      async () => {
        const { operations } = await readLedger(this.#host.vps, this.name);
        return operations.some((each) => each.state === "running" && each.phase === phase);
      },
      { deadlineMs: 60_000 },
    );
  }

  /** Constant load on `/`, half of it over kept connections and half over new ones. */
  startLoad(ratePerSecond = 80): Promise<LoadProcess> {
    const url = `http://${this.#host.vps.address}/`;
    const stream = { url, host: `${this.name}.test`, ratePerSecond: ratePerSecond / 2 };
    return LoadProcess.start([
      { ...stream, name: "keep-alive", mode: "keep-alive", connections: 5 },
      { ...stream, name: "new-connections", mode: "new-connections" },
    ]);
  }
}
