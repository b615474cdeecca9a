import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { TestHost } from "../../../test/doubles/host/host.ts";
import { aHolder, aRelease, aRequest } from "../../../test/doubles/host/inputs.ts";
import { readLines } from "../line-reader.ts";
import { OperationRunner } from "../operations/operation-runner.ts";
import { serve } from "../rpc-server.ts";
import { Predecessor } from "./predecessor.ts";

let on: TestHost;
let server: Server | undefined;

beforeEach(async () => {
  on = await TestHost.create();
});

afterEach(async () => {
  server?.close();
  server = undefined;
  await on.dispose();
});

async function connect(): Promise<Predecessor> {
  const predecessor = await Predecessor.connect(on.host.paths.socket);
  if (predecessor === undefined) throw new Error("nobody listens");
  return predecessor;
}

test("an agent of this version says what is under way, or stands back", async () => {
  const runner = new OperationRunner(on.host);
  server = serve(on.host, runner, Promise.resolve());
  await once(server, "listening");
  const idle = await connect();
  expect(await idle.yield()).toBeUndefined();
  idle.close();
  await writeFile(join(on.host.paths.hold, "gating"), "");
  const request = aRequest("release.apply", aRelease(on, "v1"), { holder: aHolder("anna@laptop") });
  runner.start(request);
  const busy = await connect();
  expect(await busy.yield()).toMatch(/^release\.apply of shop by anna@laptop is in its phase/);
  busy.close();
  runner.cancel(request.key);
  await runner.attach(request.key, 0, () => undefined);
});

test.each([
  { what: "one that deploys", apps: [{ app: "shop", operation: { kind: "release.apply", by: "anna" } }], busy: "shop" },
  { what: "one that does nothing", apps: [{ app: "shop" }], busy: undefined },
])("of an older one, which cannot be asked, its status tells: $what", async ({ apps, busy }) => {
  server = createServer((socket) => {
    readLines(socket, 10_000, (line) => {
      const { id, method } = JSON.parse(line) as { id: number; method: string };
      const unknown = { error: { code: -32000, message: "unknown", data: { code: "AGENT_PROTOCOL" } } };
      const answer = method === "app.status" ? { result: { apps } } : unknown;
      socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...answer })}\n`);
    });
  }).listen(on.host.paths.socket);
  await once(server, "listening");
  const predecessor = await connect();
  const said = await predecessor.yield();
  if (busy === undefined) expect(said).toBeUndefined();
  else expect(said).toContain(busy);
  predecessor.close();
});

test("where nobody listens there is nobody to ask, and one that dies meanwhile is an error", async () => {
  expect(await Predecessor.connect(on.host.paths.socket)).toBeUndefined();
  server = createServer((socket) => socket.destroy()).listen(on.host.paths.socket);
  await once(server, "listening");
  await expect((await connect()).yield()).rejects.toThrow("did not answer");
});
