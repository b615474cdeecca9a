import { clearanceOfEnvironment } from "../core/policies/change-guard.ts";
import type { HostAccess } from "./hosts/agent-access.ts";
import { configOfPluginEnvironment } from "./hosts/provider-config.ts";
import { addProvider, createEngineServer, listen } from "./server.ts";
import { providerVersion } from "./version.ts";

/**
 * Runs the provider as a plugin of plain `pulumi`: started by the engine, it tells its port on the first line of its
 * output, and ends when the engine asks.
 */
export async function servePlugin(access: HostAccess): Promise<void> {
  const server = createEngineServer();
  const session = addProvider(server, {
    access,
    version: providerVersion,
    current: configOfPluginEnvironment(process.env),
    clearance: clearanceOfEnvironment(process.env),
  });
  const end = (): void => {
    server.forceShutdown();
    void session.close().finally(() => process.exit(0));
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
  process.stdout.write(`${await listen(server)}\n`);
}
