import { once } from "node:events";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { registryHost, registryPort } from "../../lab/registry-address.ts";

/** The lab's registry behind a password: the same content at another port. */
export interface RegistryDoor extends AsyncDisposable {
  readonly address: string;
  /** How many requests came with the password. */
  readonly entered: number;
}

/** Asks for a login (Basic, as registries do without a token server) and passes on what comes with the right one. */
export async function startRegistryDoor(user: string, password: string): Promise<RegistryDoor> {
  const expected = `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  let entered = 0;
  const server = createServer((incoming, answer) => {
    const { method, url, headers } = incoming;
    if (headers.authorization !== expected) {
      incoming.resume();
      answer.writeHead(401, { "www-authenticate": 'Basic realm="lab"' }).end('{"errors":[{"code":"UNAUTHORIZED"}]}');
      return;
    }
    entered += 1;
    const inner = request({ host: registryHost, port: registryPort, method, path: url, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    inner.on("error", () => answer.destroy());
    incoming.pipe(inner);
  });
  server.listen(0, registryHost);
  await once(server, "listening");
  return {
    address: `${registryHost}:${(server.address() as AddressInfo).port}`,
    get entered() {
      return entered;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
