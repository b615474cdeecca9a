import { afterEach, expect, test } from "@jest/globals";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { ApiChannels } from "./api-stream.ts";

let server: Server;

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** A way through what answers as `listener` does. */
async function channelsTo(listener: RequestListener): Promise<ApiChannels> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return new ApiChannels({ name: "vps1", way: { api }, token: () => "a-token" });
}

test.each(["<html>\nwelcome\n", '{"status":"ok"}\n', "\n\n[]\n"])(
  "what answers %j is no API, and said to be none",
  async (body) => {
    const channels = await channelsTo((_request, response) => {
      response.end(body);
    });
    await expect(channels.open()).rejects.toMatchObject({
      code: "API_UNREACHABLE",
      message: expect.stringMatching(/^What answers at http:.* is no Bridge's API\.$/) as unknown,
    });
  },
);
