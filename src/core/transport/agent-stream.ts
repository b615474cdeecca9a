import type { Duplex } from "node:stream";
import { agentSocketPath } from "../../agent/protocol.ts";
import { IkomaError } from "../errors.ts";
import { remoteScript } from "./remote-script.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { hostLabel } from "./ssh-errors.ts";

/** Pipes its standard streams to the socket: by socat where there is one (123 ms), else by the agent's own `connect` (207 ms). */
const pipeScript = `
if command -v socat >/dev/null 2>&1; then exec socat - "UNIX-CONNECT:$1"; fi
exec docker exec -i ikoma-agent node /opt/ikoma/agent.mjs connect
`;

const stateScript = `docker inspect --format '{{.State.Status}}' ikoma-agent 2>&1`;

/**
 * A stream to the agent's socket: forwarded by sshd (7 ms to the first answer), or through a command on the host where
 * that is forbidden. The stream of an agent that is only just starting ends at once.
 *
 * @throws AGENT_MISSING where no agent runs, HOST_UNSUPPORTED where the user may not ask the engine
 */
export async function openAgentStream(connection: SshConnection): Promise<Duplex> {
  try {
    return await connection.forwardUnix(agentSocketPath);
  } catch (error) {
    if (error instanceof IkomaError) throw error;
    // sshd says the same of a forbidden forward, of a socket that is not there and of one that nobody listens on.
    await requireRunningAgent(connection);
    return connection.execStream(remoteScript(pipeScript, agentSocketPath));
  }
}

async function requireRunningAgent(connection: SshConnection): Promise<void> {
  const { code, stdout } = await connection.exec(remoteScript(stateScript));
  const answer = stdout.trim();
  // `restarting` for the moment between a crash and Docker's next start of it.
  if (code === 0 && ["running", "restarting"].includes(answer)) return;
  const host = hostLabel(connection.host);
  if (/permission denied/i.test(answer)) {
    throw new IkomaError("HOST_UNSUPPORTED", `${host} may not use the Docker engine.`, {
      hint: `Add the user to the group docker, or log in as root.`,
    });
  }
  if (code === 0) {
    throw new IkomaError("AGENT_MISSING", `The agent on ${host} does not run: its container is ${answer}.`, {
      hint: "See `docker logs ikoma-agent` on the host, then run `ikoma host bootstrap`.",
    });
  }
  throw new IkomaError("AGENT_MISSING", `No agent is installed on ${host}.`, { details: { answer } });
}
