import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** What the server does with a request. The number of earlier requests on the same connection comes with it. */
export type Behaviour = (request: http.IncomingMessage, response: http.ServerResponse, earlier: number) => void;

/** An HTTP server on a loopback port whose behaviour a test may change while it runs. */
export interface FaultyServer {
  url: string;
  behaviour: Behaviour;
  /** Connections accepted so far. */
  connections: number;
  /** Resolves once so many connections were accepted; rejects if that takes longer than ten seconds. */
  reached(connections: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Answers 200 and names the version in the header. */
export function answerAs(version: string): Behaviour {
  return (_request, response) => {
    response.writeHead(200, { "x-app-version": version }).end("hello\n");
  };
}

/** Resolves when it listens. */
export async function startFaultyServer(behaviour: Behaviour): Promise<FaultyServer> {
  const requestsOn = new WeakMap<Socket, number>();
  const server = http.createServer((request, response) => {
    const earlier = requestsOn.get(request.socket) ?? 0;
    requestsOn.set(request.socket, earlier + 1);
    faulty.behaviour(request, response, earlier);
  });
  server.on("connection", () => (faulty.connections += 1));
  const faulty: FaultyServer = {
    url: "",
    behaviour,
    connections: 0,
    reached: async (connections) => {
      const signal = AbortSignal.timeout(10_000);
      while (faulty.connections < connections) await once(server, "connection", { signal });
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      if (server.listening) await once(server, "close");
    },
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  faulty.url = `http://127.0.0.1:${port}/`;
  return faulty;
}

/** A loopback URL where nothing listens: a port that was free a moment ago. */
export async function closedUrl(): Promise<string> {
  const server = await startFaultyServer(answerAs("never"));
  await server[Symbol.asyncDispose]();
  return server.url;
}
