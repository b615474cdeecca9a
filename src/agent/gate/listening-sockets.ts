import { readFile } from "node:fs/promises";
import type { Listener } from "../../core/release/release-failure.ts";

const listenState = "0A";
/** Docker's own resolver, in every container on a network of its own. */
const resolverAddress = "127.0.0.11";

/**
 * Where the processes of a container accept TCP connections, by the kernel's own table of its network: nothing has to
 * be in the image for that, but the agent has to see the host's processes.
 *
 * @param pid of the container's first process, as the engine tells it; 0 where it does not run
 * @returns undefined where that cannot be seen
 */
export async function listeningSockets(pid: number): Promise<Listener[] | undefined> {
  if (pid <= 0) return undefined;
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${pid}/net/${name}`, "utf8").catch(() => undefined)),
  );
  if (tables.every((table) => table === undefined)) return undefined;
  const found = tables.flatMap((table) => parseListeners(table ?? ""));
  return found.sort((a, b) => a.port - b.port || a.address.localeCompare(b.address));
}

/** The listening sockets of a `/proc/net/tcp` or `tcp6`, each once. */
export function parseListeners(table: string): Listener[] {
  const rows = table.split("\n").flatMap((line): Listener[] => {
    const found = /^\s*\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) \S+ ([0-9A-F]{2}) /.exec(line);
    const [, address, port, state] = found ?? [];
    if (address === undefined || port === undefined || state !== listenState) return [];
    return [{ address: readAddress(address), port: Number.parseInt(port, 16) }];
  });
  const own = rows.filter(({ address }) => address !== resolverAddress);
  return [...new Map(own.map((each) => [`${each.address} ${each.port}`, each])).values()];
}

/** The kernel prints each 32-bit word of an address in the order of the processor, which is little-endian wherever Docker runs. */
function readAddress(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  for (let at = 0; at < bytes.length; at += 4) bytes.subarray(at, at + 4).reverse();
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  if (groups.every((group) => group === "0")) return "::";
  const mapped = bytes.subarray(0, 12).toString("hex") === `${"0".repeat(20)}ffff`;
  if (mapped) return bytes.subarray(12).join(".");
  return groups.slice(0, 7).every((group) => group === "0") ? `::${groups[7] ?? ""}` : groups.join(":");
}
