import type { AgentClient } from "../core/transport/agent-client.ts";
import type { AwayOptions, NamedHost } from "../core/transport/host-agent.ts";

/**
 * Uses the agent of a host. The SSH connection under it stays open for whatever follows (an engine run after a look
 * into the ledger); the end of the process closes it.
 */
export async function withAgent<T>(
  host: NamedHost,
  use: (agent: AgentClient) => Promise<T>,
  away: AwayOptions = {},
): Promise<T> {
  const { openHostAgent } = await import("../core/transport/host-agent.ts");
  const agent = await openHostAgent(host, away);
  try {
    return await use(agent);
  } finally {
    await agent.close();
  }
}
