import { expect, test } from "@jest/globals";
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { listeningSockets, parseListeners } from "./listening-sockets.ts";

const heading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const rest = "00000000:00000000 00:00000000 00000000     0        0 1234 1 0000000000000000 100 0 0 10 0";

function table(...rows: readonly [local: string, state: string][]): string {
  return [heading, ...rows.map(([local, state], at) => `   ${at}: ${local} 00000000:0000 ${state} ${rest}`), ""].join(
    "\n",
  );
}

test("of a kernel's table only what listens counts, each once, without Docker's own resolver", () => {
  expect(
    parseListeners(
      table(
        ["0100007F:1F90", "0A"],
        ["00000000:0050", "0A"],
        ["00000000:0050", "0A"],
        ["0B00007F:A1B2", "0A"],
        ["0200D20A:1F90", "01"],
      ),
    ),
  ).toEqual([
    { address: "127.0.0.1", port: 8080 },
    { address: "0.0.0.0", port: 80 },
  ]);
});

test.each([
  ["00000000000000000000000000000000", "::"],
  ["00000000000000000000000001000000", "::1"],
  ["0000000000000000FFFF00000100007F", "127.0.0.1"],
  ["B80D0120000000000000000001000000", "2001:db8:0:0:0:0:0:1"],
])("the address %s of IPv6 is %s", (hex, address) => {
  expect(parseListeners(table([`${hex}:0BB8`, "0A"]))).toEqual([{ address, port: 3000 }]);
});

test("a process's own sockets are found in the kernel", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  expect(await listeningSockets(process.pid)).toContainEqual({ address: "127.0.0.1", port });
  server.close();
  await once(server, "close");
  expect(await listeningSockets(process.pid)).not.toContainEqual({ address: "127.0.0.1", port });
});

test("of what does not run, or cannot be seen, nothing is known", async () => {
  expect(await listeningSockets(0)).toBeUndefined();
  expect(await listeningSockets(0x7fffffff)).toBeUndefined();
});
