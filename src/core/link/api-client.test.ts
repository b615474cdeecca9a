import { afterEach, expect, test } from "@jest/globals";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ApiClient } from "./api-client.ts";

let server: Server;
let client: ApiClient;

afterEach(async () => {
  await client.close();
  server.closeAllConnections();
  server.close();
});

test.each([200, 502])("an answer of status %i that begins and never ends is given up", async (status) => {
  server = createServer((_request, response) => {
    response.writeHead(status, { "content-length": 100 }).write("{");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  client = new ApiClient({ url, token: () => "a-token" });
  await expect(client.json({ method: "GET", path: "/v1/hosts", timeoutMs: 200 })).rejects.toThrow();
});
