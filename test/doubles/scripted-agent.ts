import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { methods } from "../../src/agent/protocol/methods.ts";
import { releasePhases } from "../../src/agent/protocol/phases.ts";
import { protocolVersion, rpcRequest } from "../../src/agent/protocol/wire.ts";
import type { Method, Params } from "../../src/agent/protocol/methods.ts";
import type { OperationView } from "../../src/agent/protocol/operations.ts";
import type { OperationEvent } from "../../src/agent/protocol/wire.ts";
import { IkomaError } from "../../src/core/errors.ts";

/** A request as it came in, on the how-manieth connection. */
export interface SeenRequest {
  readonly method: Method;
  readonly params: unknown;
  readonly connection: number;
}

/** What the script does with a request: answer it, fail it, or something else with the connection. */
export interface Reply {
  result(value: unknown): void;
  error(code: string, message: string): void;
  event(event: OperationEvent, key: string): void;
  /** Bytes as they are. */
  raw(bytes: string): void;
  /** Ends the connection without a farewell. */
  cut(): void;
}

type Script = { [M in Method]?: (params: Params<M>, reply: Reply, seen: SeenRequest) => void };

/** Speaks the agent's protocol on a unix socket as the test wants it. A handshake is answered well unless scripted. */
export class ScriptedAgent {
  readonly seen: SeenRequest[] = [];
  connections = 0;
  script: Script = {};
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#server = createServer((socket) => {
      this.#talk(socket);
    });
  }

  static async start(): Promise<ScriptedAgent> {
    const agent = new ScriptedAgent(await mkdtemp(join(tmpdir(), "ikoma-scripted-")));
    await agent.listen();
    return agent;
  }

  listen(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.path, resolve));
  }

  /** Stops listening and cuts everything, as a crash does. */
  async down(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async remove(): Promise<void> {
    if (this.#server.listening) await this.down();
    await rm(this.#folder, { recursive: true });
  }

  /** Opens a stream to it; without it the host is unreachable. */
  open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect(this.path);
      socket.once("connect", () => {
        resolve(socket);
      });
      socket.once("error", (cause) => {
        reject(new IkomaError("HOST_UNREACHABLE", "nobody listens", { cause }));
      });
    });

  calls(method: Method): SeenRequest[] {
    return this.seen.filter((each) => each.method === method);
  }

  /** Connections that are open now. */
  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Of its socket. */
  get path(): string {
    return join(this.#folder, "agent.sock");
  }

  #talk(socket: Socket): void {
    const connection = ++this.connections;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket)).on("error", () => undefined);
    createInterface({ input: socket }).on("line", (line) => {
      const { id, method: name, params } = rpcRequest.parse(JSON.parse(line));
      const method = name as Method;
      // What a client sends must be what the protocol allows.
      methods[method].params.parse(params);
      const seen = { method, params, connection };
      this.seen.push(seen);
      const handler = this.script[method] as ((params: unknown, reply: Reply, seen: SeenRequest) => void) | undefined;
      const reply = replyOn(socket, id);
      if (handler !== undefined) handler(params, reply, seen);
      else if (method === "handshake") reply.result(goodHandshake);
      else reply.result({});
    });
  }
}

function replyOn(socket: Socket, id: number): Reply {
  const send = (message: object): void => {
    socket.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  };
  return {
    result: (result) => {
      send({ id, result });
    },
    error: (code, message) => {
      send({
        id,
        error: { code: -32000, message, data: { code, message, hint: "its hint", details: { from: "wire" } } },
      });
    },
    event: (event, key) => {
      send({ method: "operation.event", params: { key, event } });
    },
    raw: (bytes) => {
      socket.write(bytes);
    },
    cut: () => {
      // After what was written is on its way: what came before the cut has come.
      socket.end(() => socket.destroy());
    },
  };
}

export const goodHandshake = {
  protocol: protocolVersion,
  agentVersion: "0.1.0",
  engineVersion: "20.10.24",
  composeVersion: "5.6.0",
  edgeVersion: "2.6.12",
  phases: [...releasePhases],
  apps: [],
  diskFreeBytes: 1e10,
  clockMs: 1_700_000_000_000,
  memoryBytes: 5e7,
};

/** The state of an operation that removes a site. */
export function siteRemoval(key: string, more: Partial<OperationView> = {}): OperationView {
  return { key, kind: "site.remove", app: "shop", state: "running", phase: "accepted", ...more };
}

/** The n-th event of an operation. */
export function eventNumber(seq: number): OperationEvent {
  return { seq, atMs: seq, type: "step", name: "step", message: `step ${seq}` };
}
