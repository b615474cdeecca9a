import { chmodSync, chownSync, mkdirSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { dirname } from "node:path";
import * as z from "zod";
import { IkomaError, toIkomaError } from "../core/errors.ts";
import { unknownTo } from "../core/migrations/migration-plan.ts";
import { writeBackupPiece } from "./backups/import-backup.ts";
import { listBackups, readBackupFile } from "./backups/read-backups.ts";
import type { Host } from "./host.ts";
import { publicView } from "./ledger/deployments.ts";
import { unknownDigest } from "./ledger/found-deployments.ts";
import { rememberedMigrations } from "./operations/migration/remembered-migrations.ts";
import type { OperationRunner } from "./operations/operation-runner.ts";
import { admitStage } from "./operations/signed/admission.ts";
import { imagesNeeded } from "./operations/upkeep/unused-images.ts";
import { toWire } from "./operations/wire-error.ts";
import { handshake } from "./handshake.ts";
import { readLines } from "./line-reader.ts";
import { methods } from "./protocol/methods.ts";
import { maxMessageBytes, rpcRequest } from "./protocol/wire.ts";
import type { Method, Result } from "./protocol/methods.ts";
import { readLeftovers } from "./reading/read-leftovers.ts";
import { readSecrets } from "./reading/read-secrets.ts";
import { Yielding } from "./take-over/yielding.ts";
import { readPart } from "./reading/read-parts.ts";
import { readStatus } from "./reading/read-status.ts";
import { readSupabase } from "./reading/read-supabase.ts";

/** What one connection may hold on to. */
interface Connection {
  notify(method: string, params: unknown): void;
  /** Tells the leases that this holder speaks over this connection. */
  identify(holderId: string): void;
  /** What the connection is known by while it lasts. */
  readonly self: object;
  readonly isOpen: () => boolean;
}

type Parsed<M extends Method> = z.infer<(typeof methods)[M]["params"]>;
type Handlers = { [M in Method]: (params: Parsed<M>, connection: Connection) => Promise<Result<M>> | Result<M> };

/** Serves the agent's protocol on a unix socket that root and the engine's own group may use. Requests wait until `ready`. */
export function serve(host: Host, runner: OperationRunner, ready: Promise<void>): Server {
  const { socket: path } = host.paths;
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  rmSync(path, { force: true });
  const yielding = new Yielding(() => runner.underWay());
  const handlers = handlersOf(host, runner, yielding);
  const server = createServer((socket) => {
    talk(socket, host, runner, handlers, ready);
    socket.on("close", () => {
      yielding.forget(socket);
    });
  });
  server.listen(path, () => {
    chmodSync(path, 0o660);
    // Only root may give it to the engine's group; started by anybody else the agent serves that account alone.
    if (process.getuid?.() === 0) chownSync(path, 0, statSync(host.engine.socketPath).gid);
  });
  return server;
}

function handlersOf(host: Host, runner: OperationRunner, yielding: Yielding): Handlers {
  // A caller's key may be a digest of an input with secrets, to be guessed at; the host's goes into logs, to the API and into databases.
  const ownKey = (key: string): string => host.vault.keyedDigest(key);
  return {
    handshake: () => handshake(host),
    "operation.start": async (params, connection) => {
      await yielding.turn();
      // Nothing begins that nobody waits for; and a holder who is gone would never be seen to go.
      if (!connection.isOpen()) throw new IkomaError("CANCELLED", "Whoever asked for the operation is gone.");
      connection.identify(params.holder.id);
      const { key } = params;
      return { ...runner.start({ ...params, key: ownKey(key) }), key };
    },
    "operation.attach": async ({ key, after }, connection) => {
      const view = await runner.attach(ownKey(key), after, (event) => {
        connection.notify("operation.event", { key, event });
      });
      return { ...view, key };
    },
    "operation.cancel": ({ key }) => {
      runner.cancel(ownKey(key));
      return {};
    },
    "agent.yield": (_params, { self }) => {
      yielding.yieldTo(self);
      return {};
    },
    "part.read": ({ app, part, expected }) => readPart(host, app, part, expected),
    "bundle.check": async ({ stage, isKnownEnough }) => {
      await admitStage(host, stage, isKnownEnough);
      return {};
    },
    "app.history": ({ app, limit }) => ({ deployments: host.deployments.history(app, limit).map(publicView) }),
    "app.deployment": ({ app, number }) => {
      const deployment = host.deployments.find(app, number);
      const input = host.deployments.input(app, number);
      const isMadeUp = deployment?.digest === unknownDigest;
      if (deployment === undefined || input === undefined || isMadeUp) {
        throw new IkomaError("NO_ROLLBACK_TARGET", `Deployment #${number} of ${app} is not kept on this host.`);
      }
      return { deployment: publicView(deployment), source: input.source };
    },
    "app.migrations": ({ app, number }) =>
      unknownTo(host.deployments.input(app, number)?.migrations ?? [], rememberedMigrations(host, app)),
    "app.secrets": ({ app, number }) => ({ secrets: readSecrets(host, app, number) }),
    "approvals.add": async ({ app, approval }) => {
      await host.approvals.add(app, approval);
      return {};
    },
    "approvals.list": async ({ app }) => ({ approvals: await host.approvals.list(app) }),
    "supabase.read": (question) => readSupabase(host, question),
    "app.leftovers": ({ app }) => readLeftovers(host, app),
    "backup.list": ({ app }) => listBackups(host, app),
    "backup.read": ({ app, id, file, offset }) => readBackupFile(host, app, id, file, offset),
    "backup.write": (params) => writeBackupPiece(host, params),
    "images.needed": () => ({
      images: [...new Set(host.parts.apps().flatMap((app) => [...imagesNeeded(host, app)]))].sort(),
    }),
    "app.status": () => readStatus(host, runner),
  };
}

function talk(socket: Socket, host: Host, runner: OperationRunner, handlers: Handlers, ready: Promise<void>): void {
  const holders = new Set<string>();
  const send = (message: object): void => {
    if (!socket.destroyed) socket.write(`${oneLine({ jsonrpc: "2.0", ...message })}\n`);
  };
  const connection: Connection = {
    self: socket,
    isOpen: () => !socket.destroyed,
    notify: (method, params) => {
      send({ method, params });
    },
    identify: (holderId) => {
      if (holders.has(holderId)) return;
      holders.add(holderId);
      runner.leases.connected(holderId);
    },
  };
  readLines(socket, maxMessageBytes, (line) => {
    void ready
      .then(() => answer(line, handlers, connection, send))
      .catch((error: unknown) => {
        host.log.error({ reason: String(error) }, "request failed");
      });
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    for (const holder of holders) runner.leases.disconnected(holder);
  });
}

/** JSON leaves two characters as they are that many line readers take for the end of a line. */
function oneLine(message: object): string {
  return JSON.stringify(message).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}

async function answer(
  line: string,
  handlers: Handlers,
  connection: Connection,
  send: (message: object) => void,
): Promise<void> {
  let id = 0;
  try {
    const request = rpcRequest.parse(jsonOf(line));
    id = request.id;
    if (!isMethod(request.method))
      throw new IkomaError("AGENT_PROTOCOL", `This agent knows no request ${request.method}.`);
    send({ id, result: await call(request.method, request.params, handlers, connection) });
  } catch (thrown) {
    const error =
      thrown instanceof z.ZodError ? new IkomaError("AGENT_PROTOCOL", z.prettifyError(thrown)) : toIkomaError(thrown);
    send({ id, error: { code: -32000, message: error.message, data: toWire(error) } });
  }
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    // Not the parser's own words: they quote the text, which may be a secret.
    throw new IkomaError("AGENT_PROTOCOL", "A request is one line of JSON; this one cannot be read.");
  }
}

function call<M extends Method>(
  method: M,
  params: unknown,
  handlers: Handlers,
  connection: Connection,
): Promise<Result<M>> | Result<M> {
  const parsed = methods[method].params.parse(params) as Parsed<M>;
  return handlers[method](parsed, connection);
}

function isMethod(name: string): name is Method {
  return Object.hasOwn(methods, name);
}
