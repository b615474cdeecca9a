import type { HostConfig } from "../core/config/schema.ts";
import type { AgentClient } from "../core/transport/agent-client.ts";

/**
 * Uses the agent of a host. The SSH connection under it stays open for whatever follows (an engine run after a look
 * into the ledger); the end of the process closes it.
 */
export async function withAgent<T>(host: HostConfig, use: (agent: AgentClient) => Promise<T>): Promise<T> {
  const { openAgent } = await import("../core/transport/host-connections.ts");
  const agent = openAgent(host);
  try {
    return await use(agent);
  } finally {
    await agent.close();
  }
}
