import { isIP } from "node:net";

/** Whether a name or address is this very machine, where plain HTTP leaves nothing on a wire. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "");
  return bare === "localhost" || bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}
