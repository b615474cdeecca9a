import { BlockList, isIP } from "node:net";

const ALLOWED = new BlockList();
ALLOWED.addSubnet("127.0.0.0", 8, "ipv4");
ALLOWED.addSubnet("10.77.0.0", 16, "ipv4");
ALLOWED.addAddress("::1", "ipv6");

/**
 * Whether load may be sent to this URL: loopback and the lab's own 10.77.0.0/16 only.
 * Names other than `localhost` are refused, because a name can point anywhere.
 */
export function isAllowedTarget(url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "localhost") return true;
  const family = isIP(host);
  return family !== 0 && ALLOWED.check(host, family === 6 ? "ipv6" : "ipv4");
}
