import * as z from "zod";
import { EngineRefusal, labelFilter } from "./engine-api.ts";
import type { EngineApi } from "./engine-api.ts";

/** Labels by which the agent knows its own containers and networks. */
export const labels = {
  app: "dev.ikoma.app",
  part: "dev.ikoma.part",
  deployment: "dev.ikoma.deployment",
  service: "dev.ikoma.service",
  /** On a release's network only: another label on a container would have compose recreate it. */
  version: "dev.ikoma.version",
  bundle: "dev.ikoma.bundle",
  /** On a worker only of which two releases must never run at once: `false`. */
  overlap: "dev.ikoma.overlap",
  /** Where it has other names than its service's: those, with commas between. */
  aliases: "dev.ikoma.aliases",
  /** On a job's container only: `pre` or `post`. */
  hook: "dev.ikoma.hook",
} as const;

const containerSummary = z.object({ Id: z.string(), Labels: z.record(z.string(), z.string()).nullable() });

const attachedNetwork = z.object({
  /** Empty while the container does not run. */
  IPAddress: z.string().default(""),
  IPAMConfig: z.object({ IPv4Address: z.string().optional() }).nullable().optional(),
  Aliases: z.array(z.string()).nullable().optional(),
});

const mountPoint = z.object({
  Type: z.string(),
  /** Of a volume. */
  Name: z.string().default(""),
  Source: z.string().default(""),
  Destination: z.string(),
  RW: z.boolean(),
});
/** A mount as the container really has it. */
export type MountPoint = z.infer<typeof mountPoint>;

const portBinding = z.object({ HostIp: z.string().default(""), HostPort: z.string().default("") });

const hostSettings = z.object({
  /** Its limit in bytes; 0 is none. */
  Memory: z.number().default(0),
  Privileged: z.boolean().default(false),
  RestartPolicy: z.object({ Name: z.string().default("") }).default({ Name: "" }),
  PortBindings: z.record(z.string(), z.array(portBinding).nullable()).nullable().optional(),
});

const containerDetails = z.object({
  Id: z.string(),
  Name: z.string(),
  /** RFC 3339, in UTC: comparable as text. */
  Created: z.string().default(""),
  Image: z.string(),
  RestartCount: z.number().default(0),
  State: z.object({
    Status: z.string(),
    Running: z.boolean(),
    Restarting: z.boolean(),
    OOMKilled: z.boolean(),
    ExitCode: z.number(),
    Error: z.string().default(""),
    /** Of its first process, on the host; 0 while it does not run. */
    Pid: z.number().default(0),
  }),
  Config: z.object({
    Image: z.string(),
    Env: z.array(z.string()).nullable().default([]),
    Cmd: z.array(z.string()).nullable().optional(),
    Entrypoint: z.array(z.string()).nullable().optional(),
    User: z.string().default(""),
    Labels: z.record(z.string(), z.string()).nullable(),
    Healthcheck: z
      .object({ Test: z.array(z.string()).nullable().optional() })
      .nullable()
      .optional(),
  }),
  HostConfig: hostSettings.default(hostSettings.parse({})),
  Mounts: z.array(mountPoint).default([]),
  NetworkSettings: z.object({ Networks: z.record(z.string(), attachedNetwork) }),
});

const engineEvent = z.object({
  Action: z.string(),
  Actor: z.object({ Attributes: z.record(z.string(), z.string()).default({}) }),
});

/** A container as the engine describes it. */
export type Container = z.infer<typeof containerDetails>;

/** The containers of the host, as the agent needs them. */
export class Containers {
  readonly #engine: EngineApi;

  constructor(engine: EngineApi) {
    this.#engine = engine;
  }

  /** All containers with these labels, stopped ones too. */
  async list(wanted: Record<string, string>): Promise<Container[]> {
    const found = await this.#engine.json(z.array(containerSummary), {
      path: `/containers/json?all=true&${labelFilter(wanted)}`,
    });
    const details = await Promise.all(found.map((each) => this.inspect(each.Id)));
    return details.filter((each) => each !== undefined);
  }

  /** Ids and labels of all containers that have this label, whatever its value. */
  async listWith(label: string): Promise<{ id: string; labels: Readonly<Record<string, string>> }[]> {
    const filters = encodeURIComponent(JSON.stringify({ label: [label] }));
    const found = await this.#engine.json(z.array(containerSummary), {
      path: `/containers/json?all=true&filters=${filters}`,
    });
    return found.map(({ Id, Labels }) => ({ id: Id, labels: Labels ?? {} }));
  }

  async inspect(idOrName: string): Promise<Container | undefined> {
    return this.#engine.find(containerDetails, `/containers/${encodeURIComponent(idOrName)}/json`);
  }

  /** Stops (SIGTERM, then SIGKILL after the container's own grace period) and removes. Volumes stay. */
  async stopAndRemove(id: string): Promise<void> {
    await this.stop(id);
    await this.remove(id);
  }

  /** Its signal to end, then SIGKILL after `graceSeconds`, or else the container's own grace period. */
  async stop(id: string, graceSeconds?: number): Promise<void> {
    const query = graceSeconds === undefined ? "" : `?t=${graceSeconds}`;
    const path = `/containers/${id}/stop${query}`;
    await ignoring([304, 404], () => this.#engine.raw({ method: "POST", path, timeoutMs: 600_000 }));
  }

  /** Removes it, running or not. Volumes stay. */
  async remove(id: string): Promise<void> {
    await ignoring([404, 409], () => this.#engine.raw({ method: "DELETE", path: `/containers/${id}?force=true` }));
  }

  /** 400 says that it has the name already, 404 that somebody removed it. */
  async rename(id: string, name: string): Promise<void> {
    const rename = () => this.#engine.raw({ method: "POST", path: `/containers/${id}/rename?name=${name}` });
    await ignoring([400, 404], rename, /same name|no such container/i);
  }

  /** Whether it is started again after it has ended, and at boot. */
  async setRestart(id: string, policy: "no" | "unless-stopped"): Promise<void> {
    const body = { RestartPolicy: { Name: policy } };
    await ignoring([404], () => this.#engine.raw({ method: "POST", path: `/containers/${id}/update`, body }));
  }

  async start(id: string): Promise<void> {
    await ignoring([304], () => this.#engine.raw({ method: "POST", path: `/containers/${id}/start` }));
  }

  /** Lets a paused container go on; one that is not paused stays as it is. */
  async resume(id: string): Promise<void> {
    await ignoring(
      [404, 409, 500],
      () => this.#engine.raw({ method: "POST", path: `/containers/${id}/unpause` }),
      /not paused/,
    );
  }

  /** The last lines that the container wrote, standard output and error together, oldest first. */
  async lastLines(id: string, count: number): Promise<string[]> {
    const bytes = await this.#engine.raw({ path: `/containers/${id}/logs?stdout=true&stderr=true&tail=${count}` });
    return splitStream(bytes)
      .split("\n")
      .map((line) => line.trimEnd())
      .filter((line) => line !== "")
      .slice(-count);
  }

  /** How the container's process ended last; undefined where the engine does not remember. */
  async lastExit(id: string): Promise<{ exitCode: number; outOfMemory: boolean } | undefined> {
    const filters = encodeURIComponent(JSON.stringify({ container: [id], event: ["die", "oom"] }));
    // Not the next whole second: the engine would not answer before it.
    const untilSeconds = (Date.now() / 1000).toFixed(3);
    const text = await this.#engine.raw({ path: `/events?since=0&until=${untilSeconds}&filters=${filters}` });
    const lines = text
      .toString("utf8")
      .split("\n")
      .filter((line) => line.trim() !== "");
    const events = lines.map((line) => engineEvent.parse(JSON.parse(line)));
    const at = events.findLastIndex(({ Action }) => Action === "die");
    const exitCode = Number(events[at]?.Actor.Attributes["exitCode"] ?? Number.NaN);
    if (Number.isNaN(exitCode)) return undefined;
    const nearby = events.slice(Math.max(0, at - 1), at + 2);
    return { exitCode, outOfMemory: nearby.some(({ Action }) => Action === "oom") };
  }

  /** Runs a command inside and gives its exit code and output. Aborted, the caller waits no longer; the command goes on. */
  async exec(id: string, command: string[], signal: AbortSignal): Promise<{ code: number; output: string }> {
    const created = await this.#engine.json(z.object({ Id: z.string() }), {
      method: "POST",
      path: `/containers/${id}/exec`,
      body: { Cmd: command, AttachStdout: true, AttachStderr: true },
    });
    const output = await this.#engine.raw({
      method: "POST",
      path: `/exec/${created.Id}/start`,
      body: { Detach: false, Tty: false },
      signal,
    });
    const ended = await this.#engine.json(z.object({ ExitCode: z.number().nullable() }), {
      path: `/exec/${created.Id}/json`,
    });
    return { code: ended.ExitCode ?? -1, output: splitStream(output).trim() };
  }
}

/** Takes the engine's framing (8 bytes: stream, three zeros, length) off. A container with a terminal has none. */
function splitStream(bytes: Buffer): string {
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const isFramed = bytes.readUInt8(at) <= 2 && bytes.readUIntBE(at + 1, 3) === 0;
    if (!isFramed) break;
    const length = bytes.readUInt32BE(at + 4);
    parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  if (at === 0) return bytes.toString("utf8");
  return Buffer.concat(parts).toString("utf8");
}

/** Takes these HTTP statuses of the engine (with these words) for success: what was asked for is so already. */
export async function ignoring(
  statuses: readonly number[],
  action: () => Promise<unknown>,
  words = /(?:)/,
): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof EngineRefusal && statuses.includes(error.status) && words.test(error.message)) return;
    throw error;
  }
}
