import { hostAccess } from "./host-access.ts";
import { hostsOfPluginEnvironment } from "./provider-config.ts";
import { addProvider, createEngineServer, listen } from "./server.ts";
import { providerVersion } from "./version.ts";

/**
 * The provider as a plugin of plain `pulumi`: started by the engine, tells its port on the first line of its
 * output, and ends with the engine.
 */
const server = createEngineServer();
const options = { access: hostAccess(), version: providerVersion, hosts: hostsOfPluginEnvironment(process.env) };
const session = addProvider(server, options);

async function end(): Promise<void> {
  await session.close();
  server.forceShutdown();
  process.exit(0);
}

for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void end());
process.stdout.write(`${await listen(server)}\n`);
