import { expect, test } from "@jest/globals";
import { heartbeatMs, holdMs, longestWaitMs } from "../../core/link/link-protocol.ts";
import { renderConfig } from "./haproxy-config.ts";

/** The Bridge's API may be an app behind the edge: what it holds open must outlast its silence. */
test.each(["client", "server"])("the edge's time-out for a silent %s leaves the API's open requests alone", (side) => {
  const { config } = renderConfig({ httpPort: 80, httpsPort: 443, apps: [] }, [], { directory: "/edge", ipv6: true });
  const seconds = Number(new RegExp(`^  timeout ${side} (\\d+)s$`, "m").exec(config)?.[1]);
  expect(seconds * 1000).toBeGreaterThan(2 * Math.max(heartbeatMs, holdMs, longestWaitMs));
});
