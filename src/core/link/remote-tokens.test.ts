import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "@jest/globals";
import { RemoteTokens } from "./remote-tokens.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Tokens of something that answers so. */
async function tokensOf(answer: RequestListener): Promise<RemoteTokens> {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return new RemoteTokens({ url: `http://127.0.0.1:${port}`, token: () => "secret" });
}

const request = { kind: "agent" as const, hosts: ["vps1"], note: "" };
const made = { id: "a", token: "b" };

test.each(["<html></html>", "{}", '{"tokens":[{}]}', ""])("what answers %j is no API", async (body) => {
  await using tokens = await tokensOf((_request, response) => response.end(body));
  for (const ask of [() => tokens.list(), () => tokens.create(request)])
    await expect(ask()).rejects.toMatchObject({
      code: "API_UNREACHABLE",
      message: expect.stringMatching(/^What answers at http:\S+ is no Bridge's API\.$/),
    });
});

test("an API that has learned to say more is understood", async () => {
  const listed = { id: "a", kind: "agent", hosts: ["vps1"], note: "", createdMs: 1 };
  await using tokens = await tokensOf(({ method }, response) =>
    response.end(
      JSON.stringify(method === "GET" ? { tokens: [{ ...listed, more: 1 }], more: 1 } : { ...made, more: 1 }),
    ),
  );
  expect(await tokens.list()).toEqual([listed]);
  expect(await tokens.create(request)).toEqual(made);
});

test("where a kept connection is closed under a request, only what may be repeated is", async () => {
  const asked: string[] = [];
  let resets = false;
  await using tokens = await tokensOf(({ method = "", socket }, response) => {
    asked.push(method);
    if (resets) socket.resetAndDestroy();
    else response.end(JSON.stringify({ tokens: [] }));
    resets = false;
  });
  await tokens.list();
  resets = true;
  expect(await tokens.list()).toEqual([]);
  resets = true;
  await expect(tokens.create(request)).rejects.toMatchObject({ code: "API_UNREACHABLE" });
  expect(asked).toEqual(["GET", "GET", "GET", "POST"]);
});
