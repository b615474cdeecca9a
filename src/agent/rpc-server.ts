import { chmodSync, chownSync, mkdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import * as z from "zod";
import { IkomaError, toIkomaError } from "../core/errors.ts";
import type { Host } from "./host.ts";
import { publicView } from "./ledger/deployments.ts";
import type { OperationRunner } from "./operations/operation-runner.ts";
import { toWire } from "./operations/wire-error.ts";
import { handshake } from "./handshake.ts";
import { maxMessageBytes, methods, rpcRequest } from "./protocol.ts";
import type { Method, Result } from "./protocol.ts";
import { readPart } from "./reading/read-parts.ts";
import { readStatus } from "./reading/read-status.ts";

/** What one connection may hold on to. */
interface Connection {
  notify(method: string, params: unknown): void;
  /** Tells the leases that this holder speaks over this connection. */
  identify(holderId: string): void;
}

type Parsed<M extends Method> = z.infer<(typeof methods)[M]["params"]>;
type Handlers = { [M in Method]: (params: Parsed<M>, connection: Connection) => Promise<Result<M>> | Result<M> };

/** Serves the agent's protocol on a unix socket that root and the engine's own group may use. Requests wait until `ready`. */
export function serve(host: Host, runner: OperationRunner, ready: Promise<void>): Server {
  const { socket: path } = host.paths;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(path, { force: true });
  const handlers = handlersOf(host, runner);
  const server = createServer((socket) => {
    talk(socket, host, runner, handlers, ready);
  });
  server.listen(path, () => {
    chmodSync(path, 0o660);
    chownSync(path, 0, statSync(host.engine.socketPath).gid);
  });
  return server;
}

function handlersOf(host: Host, runner: OperationRunner): Handlers {
  return {
    handshake: () => handshake(host),
    "operation.start": (params, connection) => {
      connection.identify(params.holder.id);
      return runner.start(params);
    },
    "operation.attach": ({ key, after }, connection) =>
      runner.attach(key, after, (event) => {
        connection.notify("operation.event", { key, event });
      }),
    "operation.cancel": ({ key }) => {
      runner.cancel(key);
      return {};
    },
    "part.read": ({ app, part, expected }) => readPart(host, app, part, expected),
    "app.history": ({ app, limit }) => ({ deployments: host.deployments.history(app, limit).map(publicView) }),
    "app.deployment": ({ app, number }) => {
      const deployment = host.deployments.find(app, number);
      const input = host.deployments.input(app, number);
      if (deployment === undefined || input === undefined) {
        throw new IkomaError("NO_ROLLBACK_TARGET", `Deployment #${number} of ${app} is not kept on this host.`);
      }
      return { deployment: publicView(deployment), source: input.source };
    },
    "app.status": () => readStatus(host, runner),
  };
}

function talk(socket: Socket, host: Host, runner: OperationRunner, handlers: Handlers, ready: Promise<void>): void {
  const holders = new Set<string>();
  const send = (message: object): void => {
    if (!socket.destroyed) socket.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  };
  const connection: Connection = {
    notify: (method, params) => {
      send({ method, params });
    },
    identify: (holderId) => {
      if (holders.has(holderId)) return;
      holders.add(holderId);
      runner.leases.connected(holderId);
    },
  };
  boundLines(socket);
  const lines = createInterface({ input: socket, crlfDelay: Infinity });
  lines.on("line", (line) => {
    void ready.then(() => answer(line, handlers, connection, send)).catch((error: unknown) => {
      host.log.error({ reason: String(error) }, "request failed");
    });
  });
  lines.on("error", () => undefined); // the socket's own error handler has it
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    for (const holder of holders) runner.leases.disconnected(holder);
  });
}

/** Ends a connection that sends a line longer than any message may be, before it fills the memory. */
function boundLines(socket: Socket): void {
  let sinceNewline = 0;
  socket.on("data", (chunk: Buffer) => {
    const at = chunk.lastIndexOf(10);
    sinceNewline = at < 0 ? sinceNewline + chunk.length : chunk.length - at - 1;
    if (sinceNewline > maxMessageBytes) socket.destroy();
  });
}

async function answer(line: string, handlers: Handlers, connection: Connection, send: (message: object) => void): Promise<void> {
  let id = 0;
  try {
    const request = rpcRequest.parse(JSON.parse(line));
    id = request.id;
    if (!isMethod(request.method)) throw new IkomaError("AGENT_PROTOCOL", `This agent knows no request ${request.method}.`);
    send({ id, result: await call(request.method, request.params, handlers, connection) });
  } catch (thrown) {
    const error = thrown instanceof z.ZodError ? new IkomaError("AGENT_PROTOCOL", z.prettifyError(thrown)) : toIkomaError(thrown);
    send({ id, error: { code: -32000, message: error.message, data: toWire(error) } });
  }
}

function call<M extends Method>(method: M, params: unknown, handlers: Handlers, connection: Connection): Promise<Result<M>> | Result<M> {
  const parsed = methods[method].params.parse(params) as Parsed<M>;
  return handlers[method](parsed, connection);
}

function isMethod(name: string): name is Method {
  return Object.hasOwn(methods, name);
}
