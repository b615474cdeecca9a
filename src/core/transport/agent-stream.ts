import type { Duplex } from "node:stream";
import { agentSocketPath } from "../../agent/protocol/wire.ts";
import { IkomaError } from "../errors.ts";
import { remoteScript } from "./remote-script.ts";
import type { SshConnection } from "./ssh-connection.ts";
import { hostLabel } from "./ssh-errors.ts";
import { startingMs, whileStarting } from "./while-starting.ts";

/**
 * Pipes its standard streams to the socket: by socat where there is one (123 ms), else by the agent's own `connect`
 * (207 ms). Docker 20.10 never ends an exec whose container has died, so that is watched here.
 */
const pipeScript = `
if command -v socat >/dev/null 2>&1; then exec socat - "UNIX-CONNECT:$1"; fi
agent=$(docker inspect --format '{{.State.Pid}}' ikoma-agent)
# Of what runs in the background a shell takes standard input away.
exec 3<&0
docker exec -i ikoma-agent node /opt/ikoma/agent.mjs connect <&3 3<&- &
pipe=$!
trap 'kill "$pipe" 2>/dev/null' EXIT HUP TERM
while kill -0 "$pipe" 2>/dev/null && [ -e "/proc/$agent" ]; do sleep 0.2; done
`;

/** The host's time in ms, and every agent there is: while one takes over from another, neither may bear the name. */
const agentsScript = `
exec 2>&1
agents=$(docker ps --all --quiet --filter label=dev.ikoma.part=agent) || { echo "$agents"; exit 1; }
date +%s%3N
# One that is removed in between is no failure.
for agent in $agents; do docker inspect --format '{{.Name}} {{.State.Status}} {{.State.StartedAt}}' "$agent"; done; true
`;

/**
 * A stream to the agent's socket: forwarded by sshd (7 ms to the first answer), or through a command on the host where
 * that is forbidden. The stream of an agent that is only just starting ends at once.
 *
 * @throws AGENT_MISSING where no agent runs, HOST_UNSUPPORTED where the user may not ask the engine
 */
export async function openAgentStream(connection: SshConnection): Promise<Duplex> {
  try {
    return await whileStarting(
      () => connection.forwardUnix(agentSocketPath),
      // sshd says the same of a forbidden forward, of a socket that is not there and of one that nobody listens on.
      async (error) => !(error instanceof IkomaError) && (await ageOfRunningAgent(connection)) < startingMs,
    );
  } catch (error) {
    if (error instanceof IkomaError) throw error;
    return connection.execStream(remoteScript(pipeScript, agentSocketPath));
  }
}

/** How long ago the agent was started, in ms by the host's clock; 0 between the end of one and the start of the next. */
async function ageOfRunningAgent(connection: SshConnection): Promise<number> {
  const { code, stdout } = await connection.exec(remoteScript(agentsScript));
  const answer = stdout.trim();
  const host = hostLabel(connection.host);
  if (/permission denied/i.test(answer)) {
    throw new IkomaError("HOST_UNSUPPORTED", `${host} may not use the Docker engine.`, {
      hint: `Add the user to the group docker, or log in as root.`,
    });
  }
  const [nowMs, ...agents] = answer.split("\n").map((line) => line.split(" "));
  const [, status, startedAt = ""] = agents.find(([name]) => name === "/ikoma-agent") ?? [];
  if (code === 0 && status === "running") return Number(nowMs) - Date.parse(startedAt);
  // Docker is about to start it again after a crash, or another one takes over from it.
  if (code === 0 && agents.some(([, each]) => each === "running" || each === "restarting")) return 0;
  if (code === 0 && status !== undefined) {
    throw new IkomaError("AGENT_MISSING", `The agent on ${host} does not run: its container is ${status}.`, {
      hint: "See `docker logs ikoma-agent` on the host, then run `ikoma host bootstrap`.",
    });
  }
  throw new IkomaError("AGENT_MISSING", `No agent is installed on ${host}.`, { details: { answer } });
}
