import { readFileSync } from "node:fs";

/**
 * Subnets that the host has a route to (a VPN, a private network, the engine's own), as IPv4 `address/bits`, without
 * the default route. The agent is in the host's network. The table's columns: proc_net_route in Linux' net/ipv4/fib_trie.c.
 */
export function hostRoutes(table = readFileSync("/proc/net/route", "utf8")): string[] {
  return table
    .split("\n")
    .slice(1)
    .map((line) => line.split("\t"))
    .flatMap(([, destination, , , , , , mask]) =>
      destination === undefined || mask === undefined ? [] : [`${address(destination)}/${bits(mask)}`],
    )
    .filter((route) => !route.endsWith("/0"));
}

/** From a word as the machine keeps it: the first byte is the last two digits. */
function address(word: string): string {
  return Buffer.from(word, "hex").reverse().join(".");
}

function bits(mask: string): number {
  return Number.parseInt(mask, 16).toString(2).replaceAll("0", "").length;
}
