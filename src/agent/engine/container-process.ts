import { once } from "node:events";
import type { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { Containers } from "./containers.ts";
import type { EngineApi } from "./engine-api.ts";
import { outputPieces } from "./output-frames.ts";

/** A command to run in a container that runs already. */
export interface ContainerCommand {
  readonly container: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** @default the container's own */
  readonly user?: string;
  /** Whether it is given something to read. @default false */
  readonly reads?: boolean;
}

const state = z.object({ Running: z.boolean(), ExitCode: z.number().nullable() });
const watchEveryMs = 1_000;
const endPollMs = 20;
const endDeadlineMs = 10_000;
/** Of standard error, in characters: the end of it says what went wrong. */
const keptErrors = 8_000;

/**
 * A process in a container, its output read as it comes. Docker 20.10 never ends the stream of a container that has
 * died, so the container is watched meanwhile. Aborted, its stream ends; the process itself may go on.
 */
export class ContainerProcess {
  readonly #engine: EngineApi;
  readonly #id: string;
  readonly #stream: Readable | Duplex;
  readonly #watching = new AbortController();
  readonly #signal: AbortSignal;
  #errors = "";

  private constructor(engine: EngineApi, id: string, stream: Readable | Duplex, signal: AbortSignal) {
    this.#engine = engine;
    this.#id = id;
    this.#stream = stream;
    this.#signal = signal;
    stream.on("error", () => undefined);
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  static async start(
    { engine, containers }: { engine: EngineApi; containers: Containers },
    what: ContainerCommand,
    signal: AbortSignal,
  ): Promise<ContainerProcess> {
    const before = await containers.inspect(what.container);
    const created = await engine.json(z.object({ Id: z.string() }), {
      method: "POST",
      path: `/containers/${what.container}/exec`,
      body: {
        Cmd: what.command,
        AttachStdin: what.reads ?? false,
        AttachStdout: true,
        AttachStderr: true,
        Env: Object.entries(what.environment ?? {}).map(([name, value]) => `${name}=${value}`),
        ...(what.user !== undefined && { User: what.user }),
      },
    });
    const request = {
      method: "POST",
      path: `/exec/${created.Id}/start`,
      body: { Detach: false, Tty: false },
      // A dump may be silent for as long as its largest table takes.
      timeoutMs: 0,
      signal,
    } as const;
    const stream = what.reads === true ? await engine.duplex(request) : await engine.stream(request);
    const started = new ContainerProcess(engine, created.Id, stream, signal);
    void started.#watch(containers, what.container, before?.State.Pid);
    return started;
  }

  /** What it writes to standard output. To be read to its end, once. */
  async *output(): AsyncGenerator<Buffer, undefined> {
    for await (const { stream, bytes } of outputPieces(this.#stream as AsyncIterable<Buffer>)) {
      if (stream === 2) this.#errors = (this.#errors + bytes.toString("utf8")).slice(-keptErrors);
      else yield bytes;
    }
    return undefined;
  }

  /** The end of what it wrote to standard error so far. */
  get errors(): string {
    return this.#errors.trim();
  }

  /** Gives it something to read; waits while it does not take more. */
  async write(text: string | Buffer): Promise<void> {
    const input = this.#stream as Duplex;
    if (input.write(text)) return;
    const waiting = new AbortController();
    const { signal } = waiting;
    const closed = once(input, "close", { signal }).then(() => {
      throw new Error("the command reads no more");
    });
    try {
      await Promise.race([once(input, "drain", { signal }), closed]);
    } finally {
      closed.catch(() => undefined);
      waiting.abort();
    }
  }

  /** There is nothing more for it to read. */
  endInput(): void {
    (this.#stream as Duplex).end();
  }

  /** Its exit code; to be asked once its output has ended. -1 where the engine does not tell. */
  async exitCode(): Promise<number> {
    this.#watching.abort();
    const giveUpAtMs = performance.now() + endDeadlineMs;
    while (performance.now() < giveUpAtMs) {
      const found = await this.#engine.find(state, `/exec/${this.#id}/json`);
      if (found === undefined) return -1;
      if (!found.Running) return found.ExitCode ?? -1;
      await sleep(endPollMs);
    }
    return -1;
  }

  /** Lets go of it. */
  close(): void {
    this.#signal.removeEventListener("abort", this.#abort);
    this.#watching.abort();
    this.#stream.destroy();
  }

  readonly #abort = (): void => {
    this.#watching.abort();
    this.#stream.destroy(new Error("it was broken off"));
  };

  async #watch(containers: Containers, container: string, pid: number | undefined): Promise<void> {
    const { signal } = this.#watching;
    this.#stream.once("close", () => {
      this.#watching.abort();
    });
    try {
      for (;;) {
        await sleep(watchEveryMs, undefined, { signal });
        const now = await containers.inspect(container).catch(() => undefined);
        if (now?.State.Running === true && now.State.Pid === pid) continue;
        this.#stream.destroy(new Error("its container was stopped"));
        return;
      }
    } catch {
      // The process has ended, which ends the watch.
    }
  }
}

/** What a command in a container came to. */
export interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a command to its end, with little output and, where it is given, an input. */
export async function runInContainer(
  host: { engine: EngineApi; containers: Containers },
  what: ContainerCommand,
  signal: AbortSignal,
  input?: AsyncIterable<Buffer | string>,
): Promise<Ended> {
  const running = await ContainerProcess.start(host, { ...what, reads: input !== undefined }, signal);
  try {
    // A command that fails early leaves the rest unread: its exit code and what it says tell why.
    const feeding = input === undefined ? Promise.resolve() : feed(running, input).catch(() => undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of running.output()) chunks.push(chunk);
    const code = await running.exitCode();
    running.close();
    await feeding;
    return { code, output: Buffer.concat(chunks).toString("utf8").trim(), errors: running.errors };
  } finally {
    running.close();
  }
}

async function feed(running: ContainerProcess, input: AsyncIterable<Buffer | string>): Promise<void> {
  for await (const chunk of input) await running.write(chunk);
  running.endInput();
}
