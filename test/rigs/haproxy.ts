import { afterEach, beforeEach } from "@jest/globals";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash, randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { Agent, createServer, request } from "node:http";
import type { IncomingMessage, RequestOptions, Server, ServerResponse } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import type { Duplex } from "node:stream";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withRuntime } from "../../src/agent/edge/haproxy-sockets.ts";
import { readProcesses } from "../../src/agent/edge/haproxy-workers.ts";
import { createHaproxyEdge } from "../../src/agent/edge/haproxy-edge.ts";
import type { Edge, EdgeApp, EdgeServer, EdgeView } from "../../src/agent/edge/edge.ts";
import { end, freePair, hasEnded } from "./own-port.ts";

/** What each test of the edge starts with, and leaves nothing of. */
export function useEdge() {
  const started: AppServer[] = [];
  let current: EdgeRig | undefined;
  beforeEach(async () => {
    current = await EdgeRig.create();
  });
  afterEach(async () => {
    await current?.dispose();
    await Promise.all(started.splice(0).map((app) => app.stop()));
  });
  const rig = (): EdgeRig => {
    if (current === undefined) throw new Error("only within a test");
    return current;
  };
  return {
    rig,
    appServer: async (name: string, port?: number): Promise<AppServer> => {
      const app = await AppServer.start(name, port);
      started.push(app);
      return app;
    },
    /** Starts HAProxy with these apps. */
    serve: async (...apps: EdgeApp[]): Promise<void> => {
      await rig().edge.persist(rig().view(...apps));
      await rig().start();
    },
  };
}

/** The app of the tests: one route, at `shop.test`. */
export function shop(servers: EdgeServer[], more: Partial<EdgeApp> = {}): EdgeApp {
  return { app: "shop", domains: ["shop.test"], routes: [{ path: "/", service: "web", port: 3000 }], servers, ...more };
}

/** For the tests: a real HAProxy on loopback ports, with its edge driver. */
export class EdgeRig {
  readonly directory: string;
  readonly edge: Edge;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly #loads: Load[] = [];
  #process: ChildProcess | undefined;
  #log = "";

  private constructor(directory: string, httpPort: number, httpsPort: number) {
    this.directory = directory;
    this.httpPort = httpPort;
    this.httpsPort = httpsPort;
    this.edge = this.newDriver();
  }

  static async create(): Promise<EdgeRig> {
    const port = await freePair();
    return new EdgeRig(await mkdtemp(join(tmpdir(), "ikoma-edge-")), port, port + 1);
  }

  /** A second driver, as after a restart of the agent. */
  newDriver(): Edge {
    const startupLog = (): Promise<string> => Promise.resolve(this.#log.slice(-4000));
    // A reload on a busy machine may take longer than a host has for it.
    return createHaproxyEdge({ directory: this.directory, startupLog, deadlineMs: 20_000 });
  }

  view(...apps: EdgeApp[]): EdgeView {
    return { httpPort: this.httpPort, httpsPort: this.httpsPort, apps };
  }

  /** Starts HAProxy as the edge's image does, and waits until it answers. */
  async start(): Promise<void> {
    const child = spawn("haproxy", [
      "-W",
      "-db",
      "-S",
      `${this.directory}/master.sock,mode,600`,
      "-f",
      `${this.directory}/haproxy.cfg`,
    ]);
    this.#process = child;
    child.on("error", (error) => {
      this.#log += `${error.message} (the tests of the edge need Debian's package haproxy)\n`;
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text: Buffer) => {
        this.#log += text.toString();
      });
    }
    await until(async () => {
      if (hasEnded(child) || child.pid === undefined) throw new Error(`HAProxy did not start: ${this.#log}`);
      return (await this.edge.version()) !== undefined;
    });
  }

  /** What HAProxy has written. */
  get log(): string {
    return this.#log;
  }

  /** Process ids of the workers, the newest first, then those that finish. */
  async workers(): Promise<number[]> {
    const { workers, oldWorkers } = await readProcesses(`${this.directory}/master.sock`, AbortSignal.timeout(5000));
    return [...workers, ...oldWorkers];
  }

  /** Commands to the worker that serves, behind the driver's back. */
  async tell(...commands: string[]): Promise<string[]> {
    return withRuntime(`${this.directory}/runtime.sock`, AbortSignal.timeout(5000), async (run) => {
      const answers: string[] = [];
      for (const command of commands) answers.push(await run(command));
      return answers;
    });
  }

  /** Ends HAProxy at once, connections and all. */
  async stop(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    // TERM to the master reaches every worker; KILL would leave them behind.
    if (child !== undefined) await end(child, "SIGTERM");
  }

  /** Load on an app until its end or that of the test. */
  load(host: string): Load {
    const load = new Load(this.httpPort, host);
    this.#loads.push(load);
    return load;
  }

  async dispose(): Promise<void> {
    await Promise.all(this.#loads.map((load) => load.stop()));
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  get(path: string, host: string, more: RequestOptions = {}): Promise<Answer> {
    return get({ port: this.httpPort, path, headers: { host }, agent: false, ...more });
  }

  getCandidate(path: string, host: string, headers: Record<string, string> = {}): Promise<Answer> {
    return get({ socketPath: `${this.directory}/candidate.sock`, path, headers: { ...headers, host }, agent: false });
  }
}

export interface Answer {
  status: number;
  body: string;
  headers: IncomingMessage["headers"];
}

/** One request; the answer's body is read to its end. */
export function get(options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ timeout: 10_000, ...options }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
      });
      response.on("error", reject);
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("timeout")));
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** A container's stand-in. Answers its name and path; `/headers` the headers; `/slow` when told; `/fail` 500; `/cut` nothing; upgrades become an echo. */
export class AppServer {
  readonly name: string;
  readonly address: string;
  readonly #server: Server;
  readonly #port: number;
  readonly #slow: ServerResponse[] = [];
  /** The server forgets an upgraded connection, and yet waits for it when it closes. */
  readonly #tunnels = new Set<Duplex>();

  private constructor(name: string, address: string, port: number) {
    this.#port = port;
    this.name = name;
    this.address = address;
    this.#server = createServer((incoming, response) => {
      this.#answer(incoming, response);
    });
    // HAProxy checks the handshake of a websocket, key and all.
    this.#server.on("upgrade", (incoming, socket) => {
      const key = `${incoming.headers["sec-websocket-key"] ?? ""}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
      const accept = createHash("sha1").update(key).digest("base64");
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      socket.on("data", (chunk: Buffer) => socket.write(`${name}:${chunk.toString()}`));
      socket.on("error", () => undefined);
      this.#tunnels.add(socket);
    });
  }

  /** Each on a loopback address of its own, as containers have theirs, so that all can have the same ports. */
  static async start(name: string, port = 3000): Promise<AppServer> {
    const app = new AppServer(name, `127.${randomInt(1, 255)}.${randomInt(0, 256)}.${randomInt(1, 255)}`, port);
    await app.restart();
    return app;
  }

  /** Listens again at its address. */
  async restart(): Promise<void> {
    this.#server.listen(this.#port, this.address);
    await once(this.#server, "listening");
  }

  /** As a server of the edge. */
  as(service: string, port = 3000): EdgeServer {
    return { name: this.name, service, address: this.address, port };
  }

  get slowRequests(): number {
    return this.#slow.length;
  }

  /** Ends the requests that wait at `/slow`. */
  finishSlow(): void {
    for (const response of this.#slow.splice(0)) response.end(`${this.name} /slow`);
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    for (const tunnel of this.#tunnels) tunnel.destroy();
    await closed;
  }

  #answer(incoming: IncomingMessage, response: ServerResponse): void {
    if (incoming.url === "/slow") this.#slow.push(response);
    else if (incoming.url === "/fail") response.writeHead(500).end();
    else if (incoming.url === "/cut") incoming.socket.destroy();
    else if (incoming.url === "/headers") response.end(JSON.stringify(incoming.headers));
    else response.end(`${this.name} ${incoming.url ?? ""}`);
  }
}

/** A connection that becomes a tunnel, and what came through it. */
export class Tunnel {
  readonly #socket: Socket;
  #received = "";
  isClosed = false;

  private constructor(port: number, host: string) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.on("data", (chunk: Buffer) => {
      this.#received += chunk.toString();
    });
    this.#socket.on("error", () => undefined);
    this.#socket.on("close", () => {
      this.isClosed = true;
    });
    this.#socket.write(
      `GET /socket HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
  }

  static async open(port: number, host: string): Promise<Tunnel> {
    const tunnel = new Tunnel(port, host);
    await until(() => Promise.resolve(tunnel.#received.includes("101 Switching Protocols")));
    return tunnel;
  }

  /** What comes back for a text. */
  async echo(text: string): Promise<string> {
    this.#received = "";
    this.#socket.write(text);
    await until(() => Promise.resolve(this.#received.endsWith(text)));
    return this.#received;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Requests without pause until it is stopped: half of the clients keep their connection, half open one per request. */
class Load {
  total = 0;
  readonly failures: string[] = [];
  /** Answers by the name of the server that gave them. */
  readonly answeredBy = new Map<string, number>();
  readonly #agent = new Agent({ keepAlive: true });
  readonly #clients: Promise<void>[] = [];
  #stopping = false;

  constructor(port: number, host: string, clients = 8) {
    for (let index = 0; index < clients; index++) this.#clients.push(this.#client(port, host, index % 2 === 0));
  }

  /** Waits until so many more requests were answered. */
  async more(count: number): Promise<void> {
    const goal = this.total + count;
    await until(() => Promise.resolve(this.total >= goal || this.failures.length > 20));
  }

  /** Does nothing the second time. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#clients);
    this.#agent.destroy();
  }

  async #client(port: number, host: string, keepAlive: boolean): Promise<void> {
    while (!this.#stopping && this.failures.length < 100) {
      try {
        const answer = await get({ port, path: "/load", headers: { host }, agent: keepAlive ? this.#agent : false });
        if (answer.status !== 200) this.failures.push(`${keepAlive ? "kept-alive" : "new"}: ${answer.status}`);
        const by = answer.body.split(" ")[0] ?? "";
        this.answeredBy.set(by, (this.answeredBy.get(by) ?? 0) + 1);
      } catch (error) {
        this.failures.push(`${keepAlive ? "kept-alive" : "new"}: ${String(error)}`);
      }
      this.total += 1;
      await sleep(2);
    }
  }
}

/** Waits for a condition, at most 10 seconds. */
export async function until(condition: () => Promise<boolean>, deadlineMs = 10_000): Promise<void> {
  const end = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms: ${condition.toString()}`);
    await sleep(10);
  }
}
