import { StringDecoder } from "node:string_decoder";
import { setTimeout as sleep } from "node:timers/promises";
import type { Containers } from "../engine/containers.ts";
import { ContainerProcess, runInContainer } from "../engine/container-process.ts";
import type { ContainerCommand } from "../engine/container-process.ts";
import type { EngineApi } from "../engine/engine-api.ts";

/** A server that runs in a container, reached from inside it: no password, and programs of its own version. */
export interface ServerInContainer {
  readonly container: string;
  readonly user: string;
  readonly database: string;
  /** Address inside the container; without it the server's own socket. */
  readonly address?: string;
  /** Under which the server knows who is connected. */
  readonly applicationName: string;
}

type Engine = { readonly engine: EngineApi; readonly containers: Containers };

/** A failure of the server or of one of its programs, in their own words. */
export class DatabaseFailure extends Error {
  constructor(what: string, said: string) {
    super(`${what}: ${said === "" ? "it said nothing" : said}`);
    this.name = "DatabaseFailure";
  }
}

/** A program of the server's container, told by its environment which database it is about. */
export function databaseCommand(server: ServerInContainer, command: readonly string[]): ContainerCommand {
  return {
    container: server.container,
    command,
    environment: {
      PGUSER: server.user,
      PGDATABASE: server.database,
      PGAPPNAME: server.applicationName,
      // Nobody is there to be asked.
      PGCONNECT_TIMEOUT: "10",
      // A limit for the app's own queries must not keep a large backup from being restored.
      PGOPTIONS: "-c statement_timeout=0",
      ...(server.address !== undefined && { PGHOST: server.address }),
    },
  };
}

const psql = [
  "psql",
  "--no-psqlrc",
  "--no-password",
  "--quiet",
  "--no-align",
  "--tuples-only",
  "--set=ON_ERROR_STOP=1",
];

/** Runs statements, the first that fails ends it, and gives the rows of all of them as lines. */
export async function ask(
  host: Engine,
  server: ServerInContainer,
  statements: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const text = statements.map((each) => `${each};\n`).join("");
  const ended = await runInContainer(host, databaseCommand(server, [...psql, "--file=-"]), signal, once(text));
  if (ended.code !== 0) throw new DatabaseFailure("psql", ended.errors);
  return ended.output === "" ? [] : ended.output.split("\n");
}

/** What is said while a server comes up, or the one that prepares the data goes. */
const passing = /no such file|starting up|shutting down|preparing|refused|administrator command|closed the connection/i;
const readyDeadlineMs = 60_000;
const readyPollMs = 250;

/**
 * Resolves once the server is the one that the app has: images of PostgreSQL start one before it that only prepares the
 * data and listens nowhere, which many a health check takes for it.
 */
export async function whenReady(host: Engine, server: ServerInContainer, signal: AbortSignal): Promise<void> {
  const giveUpAtMs = performance.now() + readyDeadlineMs;
  for (;;) {
    try {
      // The app's own database may not be made yet.
      const [answer] = await ask(
        host,
        { ...server, database: "template1" },
        ["SELECT current_setting('listen_addresses') <> ''"],
        signal,
      );
      if (answer === "t") return;
      throw new DatabaseFailure("psql", "the server is still preparing its data");
    } catch (error) {
      signal.throwIfAborted();
      const isComing = error instanceof DatabaseFailure && passing.test(error.message);
      if (!isComing || performance.now() > giveUpAtMs) throw error;
    }
    await sleep(readyPollMs, undefined, { signal });
  }
}

// eslint-disable-next-line @typescript-eslint/require-await -- what is read has to be asynchronous
async function* once(text: string): AsyncGenerator<string> {
  yield text;
}

const endOfAnswer = "-- end of the answer --";

/** One session with the server that stays open between statements: a transaction can be held over it. */
export class PsqlSession {
  readonly #process: ContainerProcess;
  readonly #output: AsyncGenerator<Buffer, undefined>;
  /** A letter may come in two pieces. */
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  private constructor(process: ContainerProcess) {
    this.#process = process;
    this.#output = process.output();
  }

  static async open(host: Engine, server: ServerInContainer, signal: AbortSignal): Promise<PsqlSession> {
    const command = { ...databaseCommand(server, [...psql, "--file=-"]), reads: true };
    return new PsqlSession(await ContainerProcess.start(host, command, signal));
  }

  /** The rows of these statements as lines. */
  async ask(statements: readonly string[]): Promise<string[]> {
    const text = `${statements.map((each) => `${each};\n`).join("")}\\echo ${endOfAnswer}\n`;
    const [, lines] = await Promise.all([
      // Where it fails early, what it says tells why.
      this.#process.write(text).catch(() => undefined),
      this.#answer(),
    ]);
    return lines;
  }

  /** Ends the session, and with it a transaction that is open. */
  close(): void {
    this.#process.close();
  }

  async #answer(): Promise<string[]> {
    const lines: string[] = [];
    for (;;) {
      const ends = this.#rest.indexOf("\n");
      if (ends >= 0) {
        const line = this.#rest.slice(0, ends);
        this.#rest = this.#rest.slice(ends + 1);
        if (line === endOfAnswer) return lines;
        lines.push(line);
        continue;
      }
      const next = await this.#output.next();
      if (next.done === true) throw new DatabaseFailure("psql", this.#process.errors);
      this.#rest += this.#decoder.write(next.value);
    }
  }
}
