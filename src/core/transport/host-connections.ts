import type { HostConfig } from "../config/schema.ts";
import { AgentClient } from "./agent-client.ts";
import type { AgentClientOptions } from "./agent-client.ts";
import { openAgentStream } from "./agent-stream.ts";
import { connectSsh } from "./ssh-connection.ts";
import type { ConnectOptions, SshConnection } from "./ssh-connection.ts";

const connections = new Map<string, Promise<SshConnection>>();

/**
 * The process's one connection to a host; a lost or failed one is made anew. It stays until
 * {@link closeHostConnections}.
 *
 * @throws HOST_UNREACHABLE, HOST_KEY_CHANGED, HOST_AUTH
 */
export async function connectHost(host: HostConfig, options: ConnectOptions = {}): Promise<SshConnection> {
  const name = JSON.stringify([host.address, host.port, host.user, host.hostKey, host.identityFile]);
  const pooled = connections.get(name);
  if (pooled !== undefined) {
    const connection = await pooled;
    if (!connection.isLost) return connection;
    if (connections.get(name) === pooled) connections.delete(name);
    return connectHost(host, options);
  }
  const connecting = connectSsh(host, options);
  connections.set(name, connecting);
  const forget = (): void => {
    if (connections.get(name) === connecting) connections.delete(name);
  };
  connecting.then((connection) => connection.closed).then(forget, forget);
  return connecting;
}

/** Starts to connect, so that the connection is ready when it is asked for; a failure shows then. */
export function prewarmHost(host: HostConfig): void {
  connectHost(host).catch(() => undefined);
}

/** Closes every pooled connection, so that the process can end. */
export async function closeHostConnections(): Promise<void> {
  const open = [...connections.values()];
  connections.clear();
  for (const each of open) (await each.catch(() => undefined))?.close();
}

/** The agent of a host, over the pooled SSH connection; connected on first use. */
export function openAgent(host: HostConfig, options: AgentClientOptions = {}): AgentClient {
  return new AgentClient(async () => openAgentStream(await connectHost(host)), options);
}
