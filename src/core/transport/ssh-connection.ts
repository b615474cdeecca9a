import { connect as connectTcp } from "node:net";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type { Duplex } from "node:stream";
import ssh2 from "ssh2";
import type { Client, ClientChannel } from "ssh2";
import type { HostConfig } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";
import { algorithmsOf, hostKeyText, isPinnedKey } from "./host-key.ts";
import { collectAuth } from "./ssh-auth.ts";
import type { SshAuth } from "./ssh-auth.ts";
import { connectError, hostLabel, lostError } from "./ssh-errors.ts";

/** What a command on the host gave. Any exit code is a result. */
export interface ExecResult {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** What the command reads on standard input; a stream is sent as it comes. */
  readonly input?: string | Buffer | Readable;
  /** @default 60_000 */
  readonly timeoutMs?: number;
}

/** One SSH connection to a host. */
export interface SshConnection {
  readonly host: Pick<HostConfig, "address" | "port" | "user">;
  /**
   * Runs a command line in the user's shell.
   *
   * @throws TIMEOUT (the command may live on), HOST_UNREACHABLE when the connection is lost meanwhile
   */
  exec(command: string, options?: ExecOptions): Promise<ExecResult>;
  /** A stream to a unix socket of the host. Rejects with ssh2's own error where the server will not. */
  forwardUnix(path: string): Promise<Duplex>;
  /** The standard input and output of a command as one stream, which ends with it. */
  execStream(command: string): Promise<Duplex>;
  /** Settles when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;
  readonly isLost: boolean;
  close(): void;
}

export interface ConnectOptions {
  /** For TCP, key exchange and log-in together. @default 10_000 */
  readonly timeoutMs?: number;
  /** Where HOME and SSH_AUTH_SOCK are looked up. @default process.env */
  readonly env?: NodeJS.ProcessEnv;
}

const connectTimeoutMs = 10_000;
/** A host that is silent for four of these is taken for gone. */
const keepaliveMs = 5_000;
const execTimeoutMs = 60_000;
/** Of each output of a command, in bytes: commands here are short spoken. */
const maxOutputBytes = 4 * 1024 * 1024;

/**
 * Connects to a host and logs in. The server must prove the pinned key.
 *
 * @throws HOST_UNREACHABLE, HOST_KEY_CHANGED, HOST_AUTH
 */
export async function connectSsh(host: HostConfig, options: ConnectOptions = {}): Promise<SshConnection> {
  const auth = await collectAuth(host, options.env);
  // ssh2 leaves Nagle's algorithm on, which costs 40 ms an answer: hence a socket of our own.
  const socket = connectTcp({ host: host.address, port: host.port, noDelay: true });
  const client = new ssh2.Client();
  await logIn(client, socket, host, auth, options.timeoutMs ?? connectTimeoutMs);
  // sshd switches its own Nagle off once a session channel exists: 37 ms less until the agent's first answer.
  client.exec("true", (_error, stream: ClientChannel | undefined) => stream?.on("error", () => undefined).resume());
  return new LiveConnection(host, client);
}

function logIn(client: Client, socket: Socket, host: HostConfig, auth: SshAuth, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let offeredKey: string | undefined;
    const fail = (error: unknown): void => {
      clearTimeout(deadline);
      reject(connectError({ host, auth, offeredKey, error }));
      client.destroy();
      socket.destroy();
    };
    const deadline = setTimeout(() => {
      fail(new Error(`no answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    client.on("error", (error) => {
      // ssh2 tells of an SSH agent that does not answer, and goes on with the next key by itself.
      if ((error as { level?: string }).level !== "agent") fail(error);
    });
    const ended = (): void => {
      fail(new Error("the server closed the connection"));
    };
    client.once("end", ended).once("close", ended);
    client.once("ready", () => {
      clearTimeout(deadline);
      client.off("end", ended).off("close", ended);
      resolve();
    });
    client.connect({
      sock: socket,
      username: host.user,
      authHandler: [...auth.methods],
      algorithms: { serverHostKey: algorithmsOf(host.hostKey) },
      hostVerifier: (key: Buffer) => {
        offeredKey = hostKeyText(key);
        return isPinnedKey(host.hostKey, key);
      },
      readyTimeout: 0,
      keepaliveInterval: keepaliveMs,
      keepaliveCountMax: 4,
    });
  });
}

class LiveConnection implements SshConnection {
  readonly host: HostConfig;
  readonly closed: Promise<void>;
  readonly #client: Client;
  /** Those who wait for an answer of the host. */
  readonly #waiting = new Set<(error: IkomaError) => void>();
  #lost: IkomaError | undefined;

  constructor(host: HostConfig, client: Client) {
    this.host = host;
    this.#client = client;
    this.closed = new Promise((resolve) => {
      // ssh2 says `end` but not always `close` when the far side dies.
      const settle = (reason?: unknown): void => {
        this.#lost ??= lostError(host, reason);
        for (const reject of this.#waiting) reject(this.#lost);
        this.#waiting.clear();
        client.destroy();
        resolve();
      };
      client.on("error", settle);
      client.once("end", settle).once("close", settle);
    });
  }

  exec(command: string, { input, timeoutMs = execTimeoutMs }: ExecOptions = {}): Promise<ExecResult> {
    return this.#orLost((resolve, reject) => {
      this.#client.exec(command, (error, stream) => {
        // All in this very turn: output, exit code and end of a quick command come in one piece with the answer.
        if (error === undefined) this.#attend(stream, input, timeoutMs, resolve, reject);
        else reject(this.#lost ?? error);
      });
    });
  }

  #attend(
    stream: ClientChannel,
    input: ExecOptions["input"],
    timeoutMs: number,
    resolve: (result: ExecResult) => void,
    reject: (error: Error) => void,
  ): void {
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
      stream.destroy();
    };
    const timer = setTimeout(() => {
      const message = `A command on ${hostLabel(this.host)} did not end within ${timeoutMs / 1000} s.`;
      fail(new IkomaError("TIMEOUT", message));
    }, timeoutMs);
    const [stdout, stderr] = [collect(stream), collect(stream.stderr)];
    let code: number | null = null;
    stream.on("exit", (exitCode: number | null) => (code = exitCode));
    stream.on("error", () => undefined); // the command need not read all that it is sent
    stream.once("close", () => {
      clearTimeout(timer);
      resolve({ code, stdout: stdout(), stderr: stderr() });
    });
    send(stream, input, fail);
  }

  forwardUnix(path: string): Promise<Duplex> {
    return this.#openChannel<Duplex>((opened) => this.#client.openssh_forwardOutStreamLocal(path, opened));
  }

  async execStream(command: string): Promise<Duplex> {
    const stream = await this.#openChannel<ClientChannel>((opened) => this.#client.exec(command, opened));
    stream.stderr.resume();
    return stream;
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  close(): void {
    this.#client.end();
    // A far side that is gone never answers the farewell.
    this.#client.destroy();
  }

  #openChannel<T>(open: (opened: (error: Error | undefined, channel: T) => void) => unknown): Promise<T> {
    return this.#orLost((resolve, reject) => {
      open((error, channel) => {
        if (error === undefined) resolve(channel);
        else reject(this.#lost ?? error);
      });
    });
  }

  #orLost<T>(start: (resolve: (value: T) => void, reject: (error: Error) => void) => void): Promise<T> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      start(
        (value) => {
          this.#waiting.delete(reject);
          resolve(value);
        },
        (error) => {
          this.#waiting.delete(reject);
          reject(error);
        },
      );
    });
  }
}

/** Reads a stream to its end; the returned function gives what came so far, cut at {@link maxOutputBytes}. */
function collect(stream: Readable): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    if (bytes < maxOutputBytes) chunks.push(chunk);
    bytes += chunk.length;
  });
  return () => Buffer.concat(chunks).toString("utf8", 0, Math.min(bytes, maxOutputBytes));
}

function send(stream: ClientChannel, input: ExecOptions["input"], onSourceError: (error: Error) => void): void {
  if (!(input instanceof Readable)) {
    stream.end(input);
    return;
  }
  input.once("error", onSourceError);
  // A command that ends early leaves the rest unread: its exit code tells why, so the source just stops.
  stream.once("close", () => {
    input.off("error", onSourceError).on("error", () => undefined);
    input.destroy();
  });
  input.pipe(stream);
}
