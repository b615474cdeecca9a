import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { once } from "node:events";
import { rm } from "node:fs/promises";

/**
 * Stands for the Docker engine: the calls that the agent makes, on a unix socket, with the status codes and messages
 * of engine 20.10. Its containers have no processes; one whose program answers HTTP does so for real, at the
 * container's own address (a loopback one). Not checked against the real engine: order of lists, events, log drivers.
 */

/** What a container of an image does. */
export interface Program {
  /** Serves HTTP on these ports at the container's address. */
  ports?: number[];
  answer?: (path: string) => { status: number; body: string };
  /** Ends at once with this code. */
  exitCode?: number;
  outOfMemory?: boolean;
  lines?: string[];
  /** Of images with the same word here, the engine notes when two run at once: see {@link FakeEngine.together}. */
  alone?: string;
  /** Exit code of a command in it. */
  exec?: (command: string[]) => { code: number; output: string };
  /** What its image brings along. */
  imageEnvironment?: string[];
  architecture?: string;
  /** Bytes of its image's layers, the base's first. @default none */
  layers?: number[];
}

export interface FakeContainer {
  Id: string;
  Name: string;
  Image: string;
  RestartCount: number;
  State: { Status: string; Running: boolean; Restarting: boolean; OOMKilled: boolean; ExitCode: number; Error: string };
  Config: { Image: string; Env: string[]; Labels: Record<string, string> };
  HostConfig: { RestartPolicy: { Name: string } };
  Mounts: { Type: string; Name: string; Destination: string; RW: boolean }[];
  NetworkSettings: {
    Networks: Record<string, { IPAddress: string; Aliases: string[]; IPAMConfig: { IPv4Address: string } | null }>;
  };
  servers: Server[];
}

interface FakeNetwork {
  Id: string;
  Name: string;
  Labels: Record<string, string>;
  subnet: string;
}

interface Call {
  method: string;
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
  headers: IncomingMessage["headers"];
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Answer = unknown;
type Handler = (call: Call, ...names: string[]) => Answer;

export class FakeEngine {
  readonly socketPath: string;
  /** By reference. An image that is not here can be pulled only if it is in {@link pullable}. */
  readonly images = new Map<string, Program>();
  readonly pullable = new Map<string, Program>();
  readonly containers = new Map<string, FakeContainer>();
  readonly networks = new Map<string, FakeNetwork>();
  readonly volumes = new Set<string>();
  readonly volumeLabels = new Map<string, Record<string, string>>();
  /** What `docker system df` says of volumes, in bytes. */
  readonly volumeBytes = new Map<string, number>();
  /** Name of the container that has a volume. */
  readonly volumeUsers = new Map<string, string>();
  /** `POST /containers/x/stop`… in order. */
  readonly calls: string[] = [];
  /** Answers these calls (a part of `METHOD path`) with a refusal instead. */
  readonly refusals = new Map<string, { status: number; message: string }>();
  /** Never answers calls whose path begins so. */
  readonly silent = new Set<string>();
  /** Names of containers that ran at once though they must not, as `a beside b`. */
  readonly together: string[] = [];
  /** So many containers ran at once, at most. */
  most = 0;
  lastRegistryAuth: string | undefined;
  #execs = new Map<string, { code: number; output: string }>();
  #count = 0;
  readonly #server: Server;

  constructor(socketPath: string) {
    this.socketPath = socketPath;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async start(): Promise<void> {
    this.#server.listen(this.socketPath);
    await once(this.#server, "listening");
  }

  async stop(): Promise<void> {
    for (const id of this.containers.keys()) await this.#end(id);
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
    await rm(this.socketPath, { force: true });
  }

  /** What compose does with `up`: creates and starts those services that are not there yet. */
  async composeUp(project: ComposeInput, services: string[]): Promise<void> {
    for (const key of services) {
      const service = project.services[key];
      if (service === undefined) throw new Error(`no such service: ${key}`);
      const name = `${project.name}-${key}-1`;
      const existing = [...this.containers.values()].find((each) => each.Name === `/${name}`);
      const environment = Object.entries(service.environment ?? {}).map(([variable, value]) => `${variable}=${value}`);
      const definition = JSON.stringify(service);
      if (existing !== undefined && existing.Config.Labels["double.definition"] === definition) {
        if (!existing.State.Running) await this.#run(existing);
        continue;
      }
      if (existing !== undefined) await this.#end(existing.Id, true);
      await this.createContainer({
        name,
        image: service.image,
        environment: [...(this.images.get(service.image)?.imageEnvironment ?? []), ...environment],
        labels: { ...service.labels, "com.docker.compose.service": key, "double.definition": definition },
        network: project.networks.default.name,
        address: service.networks.default.ipv4_address,
        aliases: service.networks.default.aliases,
        restart: service.restart,
        mounts: (service.volumes ?? []).map(({ source, target }) => ({
          Type: "volume",
          Name: project.volumes[source]?.name ?? source,
          Destination: target,
          RW: true,
        })),
      });
    }
  }

  async createContainer(wanted: {
    name: string;
    image: string;
    environment?: string[];
    labels?: Record<string, string>;
    network?: string;
    address?: string;
    aliases?: string[];
    restart?: string;
    mounts?: FakeContainer["Mounts"];
  }): Promise<FakeContainer> {
    const id = this.#id();
    const { network, address = "" } = wanted;
    if (!this.images.has(wanted.image)) throw new Refusal(404, `No such image: ${wanted.image}`);
    if (network !== undefined && !this.networks.has(network)) throw new Refusal(404, `network ${network} not found`);
    const container: FakeContainer = {
      Id: id,
      Name: `/${wanted.name}`,
      Image: `sha256:${id}`,
      RestartCount: 0,
      State: { Status: "created", Running: false, Restarting: false, OOMKilled: false, ExitCode: 0, Error: "" },
      Config: { Image: wanted.image, Env: wanted.environment ?? [], Labels: wanted.labels ?? {} },
      HostConfig: { RestartPolicy: { Name: wanted.restart ?? "no" } },
      Mounts: wanted.mounts ?? [],
      NetworkSettings: {
        Networks:
          network === undefined
            ? {}
            : { [network]: { IPAddress: "", Aliases: wanted.aliases ?? [], IPAMConfig: { IPv4Address: address } } },
      },
      servers: [],
    };
    this.containers.set(id, container);
    await this.#run(container);
    return container;
  }

  /** The container's process ends by itself. */
  async crash(id: string, exitCode: number): Promise<void> {
    await this.#end(id);
    Object.assign(this.#container(id).State, { ExitCode: exitCode });
  }

  named(name: string): FakeContainer | undefined {
    return [...this.containers.values()].find((each) => each.Name === `/${name}`);
  }

  async #run(container: FakeContainer): Promise<void> {
    const program = this.images.get(container.Config.Image) ?? {};
    for (const [name, endpoint] of Object.entries(container.NetworkSettings.Networks)) {
      if (!this.networks.has(name)) throw new Refusal(404, `network ${name} not found`);
      const address = endpoint.IPAMConfig?.IPv4Address ?? "";
      if (this.#holderOf(name, address) !== undefined) throw new Refusal(403, "Address already in use");
      endpoint.IPAddress = address;
    }
    if (program.exitCode !== undefined) {
      Object.assign(container.State, {
        Status: "exited",
        Running: false,
        ExitCode: program.exitCode,
        OOMKilled: program.outOfMemory ?? false,
      });
      for (const endpoint of Object.values(container.NetworkSettings.Networks)) endpoint.IPAddress = "";
      return;
    }
    this.#noteTogether(container, program);
    Object.assign(container.State, { Status: "running", Running: true, ExitCode: 0 });
    this.most = Math.max(this.most, [...this.containers.values()].filter((each) => each.State.Running).length);
    const address = Object.values(container.NetworkSettings.Networks)[0]?.IPAddress ?? "";
    for (const port of program.ports ?? []) {
      const server = createServer((request, response) => {
        const { status, body } = (program.answer ?? (() => ({ status: 200, body: "ok" })))(request.url ?? "/");
        response.writeHead(status).end(body);
      });
      server.listen(port, address);
      await once(server, "listening");
      container.servers.push(server);
    }
  }

  #noteTogether(starting: FakeContainer, { alone }: Program): void {
    if (alone === undefined) return;
    for (const each of this.containers.values())
      if (each.State.Running && this.images.get(each.Config.Image)?.alone === alone)
        this.together.push(`${starting.Name} beside ${each.Name}`);
  }

  async #end(id: string, removed = false): Promise<void> {
    const container = this.#container(id);
    for (const server of container.servers.splice(0)) {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }
    Object.assign(container.State, { Status: "exited", Running: false });
    for (const endpoint of Object.values(container.NetworkSettings.Networks)) endpoint.IPAddress = "";
    if (removed) this.containers.delete(id);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString("utf8");
    const url = new URL(request.url ?? "/", "http://engine");
    const method = request.method ?? "GET";
    const path = decodeURIComponent(url.pathname);
    this.calls.push(`${method} ${path}`);
    if ([...this.silent].some((each) => path.startsWith(each))) return;
    try {
      for (const [part, { status, message }] of this.refusals)
        if (`${method} ${path}`.includes(part)) throw new Refusal(status, message);
      const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
      const answer = await this.#answer({ method, path, query: url.searchParams, body, headers: request.headers });
      response.writeHead(200).end(Buffer.isBuffer(answer) ? answer : JSON.stringify(answer));
    } catch (error) {
      const status = error instanceof Refusal ? error.status : 500;
      const message = error instanceof Error ? error.message : String(error);
      response
        .writeHead(status, { "content-type": "application/json" })
        .end(status === 304 ? undefined : JSON.stringify({ message }));
    }
  }

  async #answer(call: Call): Promise<Answer> {
    for (const [pattern, handler] of this.#routes) {
      const [, ...names] = pattern.exec(`${call.method} ${call.path}`) ?? [];
      if (pattern.test(`${call.method} ${call.path}`)) return await handler(call, ...names);
    }
    throw new Refusal(404, "page not found");
  }

  readonly #routes: [RegExp, Handler][] = [
    [/^GET \/version$/, () => ({ Version: "20.10.24" })],
    [/^GET \/info$/, () => ({ Architecture: "x86_64", DockerRootDir: "/var/lib/docker" })],
    [
      /^GET \/containers\/json$/,
      ({ query }) => this.#list(query).map(({ Id, Name, Config }) => ({ Id, Names: [Name], Labels: Config.Labels })),
    ],
    [/^GET \/containers\/([^/]+)\/json$/, (_call, id = "") => ({ ...this.#container(id), servers: undefined })],
    [/^GET \/containers\/([^/]+)\/logs$/, ({ query }, id = "") => this.#logs(id, Number(query.get("tail")))],
    [/^POST \/containers\/create$/, ({ query, body }) => this.#create(query.get("name") ?? "", body)],
    [
      /^POST \/containers\/([^/]+)\/start$/,
      async (_call, id = "") => {
        if (this.#container(id).State.Running) throw new Refusal(304, "");
        await this.#run(this.#container(id));
      },
    ],
    [
      /^POST \/containers\/([^/]+)\/update$/,
      ({ body }, id = "") => {
        this.#container(id).HostConfig.RestartPolicy = body["RestartPolicy"] as { Name: string };
      },
    ],
    [
      /^POST \/containers\/([^/]+)\/stop$/,
      async (_call, id = "") => {
        if (!this.#container(id).State.Running) throw new Refusal(304, "");
        await this.#end(this.#container(id).Id);
      },
    ],
    [
      /^POST \/containers\/([^/]+)\/rename$/,
      ({ query }, id = "") => {
        const name = query.get("name") ?? "";
        if (this.named(name) !== undefined) throw new Refusal(409, `Conflict. The name ${name} is in use`);
        this.#container(id).Name = `/${name}`;
      },
    ],
    [
      /^DELETE \/containers\/([^/]+)$/,
      async ({ query }, id = "") => {
        if (this.#container(id).State.Running && query.get("force") !== "true")
          throw new Refusal(409, `You cannot remove a running container ${id}. Stop the container before removing`);
        await this.#end(this.#container(id).Id, true);
      },
    ],
    [/^POST \/containers\/([^/]+)\/exec$/, ({ body }, id = "") => this.#exec(id, body["Cmd"] as string[])],
    [/^POST \/exec\/([^/]+)\/start$/, (_call, id = "") => frame(1, this.#execs.get(id)?.output ?? "")],
    [/^GET \/exec\/([^/]+)\/json$/, (_call, id = "") => ({ ExitCode: this.#execs.get(id)?.code ?? null })],
    [/^GET \/networks$/, ({ query }) => this.#networksWith(query).map((each) => this.#describe(each))],
    [
      /^GET \/networks\/([^/]+)$/,
      (_call, name = "") => ({ ...this.#describe(this.#network(name)), Containers: this.#attached(name) }),
    ],
    [/^POST \/networks\/create$/, ({ body }) => this.#createNetwork(body)],
    [
      /^POST \/networks\/([^/]+)\/connect$/,
      ({ body }, name = "") => {
        this.#connect(name, body);
      },
    ],
    [
      /^POST \/networks\/([^/]+)\/disconnect$/,
      ({ body }, name = "") => {
        this.#disconnect(name, body["Container"] as string);
      },
    ],
    [
      /^DELETE \/networks\/([^/]+)$/,
      (_call, name = "") => {
        if (Object.keys(this.#attached(this.#network(name).Name)).length > 0)
          throw new Refusal(403, `error while removing network: ${name} has active endpoints`);
        this.networks.delete(this.#network(name).Name);
      },
    ],
    [
      /^POST \/volumes\/create$/,
      ({ body }) => {
        const name = body["Name"] as string;
        if (!this.volumes.has(name)) this.volumeLabels.set(name, body["Labels"] as Record<string, string>);
        this.volumes.add(name);
      },
    ],
    [
      /^GET \/volumes$/,
      ({ query }) => {
        const { label = [] } = filtersOf(query);
        const found = [...this.volumes].filter((name) => hasLabels(this.volumeLabels.get(name) ?? {}, label));
        return { Volumes: found.map((Name) => ({ Name, Labels: this.volumeLabels.get(Name) ?? null })) };
      },
    ],
    [
      /^DELETE \/volumes\/([^/]+)$/,
      (_call, name = "") => {
        if (!this.volumes.has(name)) throw new Refusal(404, `get ${name}: no such volume`);
        if (this.#list(new URLSearchParams({ filters: JSON.stringify({ volume: [name] }) })).length > 0)
          throw new Refusal(409, `remove ${name}: volume is in use`);
        this.volumes.delete(name);
      },
    ],
    [
      /^GET \/system\/df$/,
      () => ({
        Volumes: [...this.volumes].map((Name) => ({
          Name,
          UsageData: { Size: this.volumeBytes.get(Name) ?? -1, RefCount: 0 },
        })),
      }),
    ],
    [
      /^GET \/volumes\/([^/]+)$/,
      (_call, name = "") => {
        if (!this.volumes.has(name)) throw new Refusal(404, `get ${name}: no such volume`);
        return { Name: name };
      },
    ],
    [
      /^GET \/images\/(.+)\/history$/,
      (_call, reference = "") => {
        const program = this.images.get(reference);
        if (program === undefined) throw new Refusal(404, `No such image: ${reference}`);
        // Newest first. Images of the double share a layer where it has the same size and place.
        return (program.layers ?? []).map((Size) => ({ Created: 0, CreatedBy: "COPY", Size })).toReversed();
      },
    ],
    [/^GET \/images\/(.+)\/json$/, (_call, reference = "") => this.#image(reference)],
    [
      /^POST \/images\/create$/,
      ({ query, headers }) => this.#pull(query.get("fromImage") ?? "", headers["x-registry-auth"]),
    ],
    [
      /^DELETE \/images\/(.+)$/,
      (_call, reference = "") => {
        if ([...this.containers.values()].some((each) => each.Config.Image === reference))
          throw new Refusal(409, "conflict: image is in use");
        if (!this.images.delete(reference)) throw new Refusal(404, "No such image");
      },
    ],
    [
      /^POST \/double\/compose-up$/,
      async ({ body }) => {
        const { project, services } = body as unknown as { project: ComposeInput; services: string[] };
        await this.composeUp(project, services);
      },
    ],
  ];

  #container(idOrName: string): FakeContainer {
    const found = this.containers.get(idOrName) ?? this.named(idOrName);
    if (found === undefined) throw new Refusal(404, `No such container: ${idOrName}`);
    return found;
  }

  #list(query: URLSearchParams): FakeContainer[] {
    const { label = [], network = [], volume = [] } = filtersOf(query);
    return [...this.containers.values()].filter(
      (each) =>
        volume.every((wanted) => `/${this.volumeUsers.get(wanted) ?? ""}` === each.Name) &&
        hasLabels(each.Config.Labels, label) &&
        network.every((wanted) =>
          Object.keys(each.NetworkSettings.Networks).some(
            (name) => name === wanted || this.networks.get(name)?.Id === wanted,
          ),
        ),
    );
  }

  #create(name: string, body: Record<string, unknown>): { Id: string } {
    if (this.named(name) !== undefined)
      throw new Refusal(409, `Conflict. The container name "/${name}" is already in use`);
    const id = this.#id();
    const Config = {
      Image: body["Image"] as string,
      Env: [],
      Labels: (body["Labels"] ?? {}) as Record<string, string>,
    };
    const State = { Status: "created", Running: false, Restarting: false, OOMKilled: false, ExitCode: 0, Error: "" };
    this.containers.set(id, {
      Id: id,
      Name: `/${name}`,
      Image: "",
      RestartCount: 0,
      State,
      Config,
      HostConfig: { ...(body["HostConfig"] ?? {}), RestartPolicy: { Name: "no" } },
      Mounts: [],
      NetworkSettings: { Networks: {} },
      servers: [],
    });
    return { Id: id };
  }

  #logs(id: string, tail: number): Buffer {
    const lines = this.images.get(this.#container(id).Config.Image)?.lines ?? [];
    return Buffer.concat(lines.slice(-tail).map((line) => frame(2, `${line}\n`)));
  }

  #exec(id: string, command: string[]): { Id: string } {
    const container = this.#container(id);
    if (!container.State.Running) throw new Refusal(409, `Container ${id} is not running`);
    const exec = this.#id();
    const program = this.images.get(container.Config.Image);
    this.#execs.set(exec, program?.exec?.(command) ?? { code: 0, output: "" });
    return { Id: exec };
  }

  #network(nameOrId: string): FakeNetwork {
    const found = this.networks.get(nameOrId) ?? [...this.networks.values()].find((each) => each.Id === nameOrId);
    if (found === undefined) throw new Refusal(404, `network ${nameOrId} not found`);
    return found;
  }

  #networksWith(query: URLSearchParams): FakeNetwork[] {
    return [...this.networks.values()].filter((each) => hasLabels(each.Labels, filtersOf(query).label ?? []));
  }

  #describe({ Id, Name, Labels, subnet }: FakeNetwork): object {
    return { Id, Name, Labels, IPAM: { Config: [{ Subnet: subnet }] } };
  }

  /** As the engine: only those that run. */
  #attached(name: string): Record<string, object> {
    const found = [...this.containers.values()].filter(
      (each) => each.State.Running && name in each.NetworkSettings.Networks,
    );
    return Object.fromEntries(found.map((each) => [each.Id, {}]));
  }

  #holderOf(name: string, address: string): FakeContainer | undefined {
    return [...this.containers.values()].find((each) => each.NetworkSettings.Networks[name]?.IPAddress === address);
  }

  #createNetwork(body: Record<string, unknown>): { Id: string } {
    const { Name, Labels, IPAM } = body as unknown as {
      Name: string;
      Labels: Record<string, string>;
      IPAM: { Config: { Subnet: string }[] };
    };
    if (this.networks.has(Name)) throw new Refusal(409, `network with name ${Name} already exists`);
    const subnet = IPAM.Config[0]?.Subnet ?? "";
    if ([...this.networks.values()].some((each) => overlap(each.subnet, subnet)))
      throw new Refusal(403, "Pool overlaps with other one on this address space");
    const Id = this.#id();
    this.networks.set(Name, { Id, Name, Labels, subnet });
    return { Id };
  }

  #connect(name: string, body: Record<string, unknown>): void {
    const network = this.#network(name).Name;
    const { Container, EndpointConfig } = body as unknown as {
      Container: string;
      EndpointConfig: { Aliases: string[]; IPAMConfig: { IPv4Address: string } };
    };
    const container = this.#container(Container);
    if (network in container.NetworkSettings.Networks)
      throw new Refusal(403, `endpoint with name ${container.Name.slice(1)} already exists in network ${network}`);
    const address = EndpointConfig.IPAMConfig.IPv4Address;
    if (this.#holderOf(network, address) !== undefined) throw new Refusal(403, "Address already in use");
    const IPAddress = container.State.Running ? address : "";
    container.NetworkSettings.Networks[network] = {
      IPAddress,
      Aliases: EndpointConfig.Aliases,
      IPAMConfig: EndpointConfig.IPAMConfig,
    };
  }

  #disconnect(name: string, id: string): void {
    const { Networks } = this.#container(id).NetworkSettings;
    if (!(name in Networks)) throw new Refusal(404, `container ${id} is not connected to network ${name}`);
    delete Networks[name];
  }

  #image(reference: string): object {
    const program = this.images.get(reference);
    if (program === undefined) throw new Refusal(404, `No such image: ${reference}`);
    const Env = program.imageEnvironment ?? [];
    return {
      Id: `id-of-${reference}`,
      Architecture: program.architecture ?? "amd64",
      Os: "linux",
      Size: 1,
      Config: { Env },
    };
  }

  #pull(reference: string, auth: string | string[] | undefined): Buffer {
    this.lastRegistryAuth = typeof auth === "string" ? auth : undefined;
    const program = this.pullable.get(reference);
    const progress: object[] = [{ status: `Pulling from ${reference}` }];
    if (program === undefined)
      progress.push({ errorDetail: { message: "manifest unknown" }, error: "manifest unknown" });
    else this.images.set(reference, program);
    return Buffer.from(progress.map((each) => `${JSON.stringify(each)}\r\n`).join(""));
  }

  #id(): string {
    this.#count += 1;
    return this.#count.toString(16).padStart(64, "0");
  }
}

/** The part of a compose project that the double reads. */
export interface ComposeInput {
  name: string;
  services: Record<
    string,
    {
      image: string;
      environment?: Record<string, string>;
      labels: Record<string, string>;
      networks: { default: { ipv4_address: string; aliases: string[] } };
      restart: string;
      volumes?: { source: string; target: string }[];
    }
  >;
  networks: { default: { name: string } };
  volumes: Record<string, { name: string }>;
}

/** A piece of output as the engine sends it: stream number, length, bytes. */
export function frame(stream: 1 | 2, text: string): Buffer {
  const bytes = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
}

function filtersOf(query: URLSearchParams): { label?: string[]; network?: string[]; volume?: string[] } {
  return JSON.parse(query.get("filters") ?? "{}") as { label?: string[]; network?: string[]; volume?: string[] };
}

function hasLabels(labels: Record<string, string>, wanted: string[]): boolean {
  return wanted.every((each) => {
    const [name = "", value] = each.split(/=(.*)/s, 2);
    return value === undefined ? name in labels : labels[name] === value;
  });
}

/** Whether two subnets, as `10.210.0.0/26`, have an address in common. */
function overlap(one: string, other: string): boolean {
  const [first, second] = [one, other].map(rangeOf);
  return first !== undefined && second !== undefined && first.from < second.to && second.from < first.to;
}

function rangeOf(subnet: string): { from: number; to: number } {
  const [address = "", prefix = ""] = subnet.split("/");
  const from = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return { from, to: from + 2 ** (32 - Number(prefix)) };
}
