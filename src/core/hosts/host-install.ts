import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Handshake } from "../../agent/protocol.ts";
import type { HostSetup } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";
import type { AgentClient } from "../transport/agent-client.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { hostLabel } from "../transport/ssh-errors.ts";
import { hostFolder, runStep, runStepAsRoot } from "./host-commands.ts";
import { bringImages } from "./host-images.ts";

/** What is to be on the host. */
export interface Installation {
  readonly setup: HostSetup;
  /** Version of agent and edge; their images are `ikoma/agent:<version>` and `ikoma/edge:<version>` unless the setup names others. */
  readonly version: string;
}

const agentContainer = "ikoma-agent";
const edgeContainer = "ikoma-edge";
const handshakeDeadlineMs = 20_000;
const edgeDrainSeconds = 30;

/**
 * Puts the agent on a host, or brings it to another version or configuration; where all is as asked for, nothing is
 * touched. A new agent that does not answer is taken away again and the one before goes on. The apps are served all
 * the while: a new edge takes over the ports before the old one ends.
 *
 * @throws HOST_NOT_READY with the agent's last log lines when it does not answer, HOST_UNSUPPORTED for a failed step
 */
export async function installAgent(
  connection: SshConnection,
  agent: AgentClient,
  { setup, version }: Installation,
  onStep: (message: string) => void,
): Promise<void> {
  const images = imagesOf(setup, version);
  const wanted = [
    { reference: images.agent, pull: setup.agentImage !== undefined },
    { reference: images.edge, pull: setup.edgeImage !== undefined },
  ];
  await bringImages(connection, wanted, onStep);
  const { httpPort, httpsPort, networkPool, imageBudgetGb } = setup;
  const settings = JSON.stringify({ httpPort, httpsPort, networkPool, imageBudgetGb, edgeImage: images.edge });
  const found = await lookAtHost(connection, images);
  const label = labelOf(found.agentImageId, version, settings);
  const settingsAreThere = await writeSettings(connection, images.agent, settings);
  if (found.agent === `running ${label}` && found.edge === `running ${found.edgeImageId}` && settingsAreThere) {
    if (await answers(agent)) return;
  }
  await agent.close();
  onStep(found.agent === "" ? "starting the agent" : "replacing the agent");
  await replaceContainers(connection, agent, {
    image: images.agent,
    label,
    version,
    newEdge: !found.edge.endsWith(found.edgeImageId),
  });
}

/** Stops and removes the agent and the edge; the ledger and all data stay. */
export async function removeAgent(connection: SshConnection): Promise<void> {
  const script = `docker rm --force "$@" >/dev/null 2>&1 || true`;
  await runStep(connection, { step: "remove the agent", script, args: [agentContainer, edgeContainer] });
}

/** The images of agent and edge that a setup asks for. */
export function imagesOf(setup: HostSetup, version: string): { agent: string; edge: string } {
  return { agent: setup.agentImage ?? `ikoma/agent:${version}`, edge: setup.edgeImage ?? `ikoma/edge:${version}` };
}

interface Found {
  agentImageId: string;
  edgeImageId: string;
  /** `running <label>`, another state, or empty. */
  agent: string;
  /** `running <image id>`, another state, or empty. */
  edge: string;
}

async function lookAtHost(connection: SshConnection, images: { agent: string; edge: string }): Promise<Found> {
  const script = `docker image inspect --format '{{.Id}}' "$1" "$2" || exit
docker inspect --format '{{.State.Status}} {{index .Config.Labels "dev.ikoma.setup"}}' ${agentContainer} 2>/dev/null || echo
docker inspect --format '{{.State.Status}} {{.Image}}' ${edgeContainer} 2>/dev/null || echo`;
  const printed = await runStep(connection, {
    step: "look at agent and edge",
    script,
    args: [images.agent, images.edge],
  });
  const [agentImageId = "", edgeImageId = "", agent = "", edge = ""] = printed.split("\n").map((line) => line.trim());
  return { agentImageId, edgeImageId, agent, edge };
}

/** Changes with everything that a container is started with. */
function labelOf(imageId: string, version: string, settings: string): string {
  return createHash("sha256")
    .update(JSON.stringify([imageId, version, settings, startScript]))
    .digest("hex")
    .slice(0, 32);
}

/** True where the host had these settings already. */
async function writeSettings(connection: SshConnection, image: string, settings: string): Promise<boolean> {
  const script = `umask 077
cd ${hostFolder} 2>/dev/null || { mkdir -p ${hostFolder} && cd ${hostFolder}; } || exit
chmod 711 . && mkdir -p agent docker edge || exit
cat > agent/settings.json.new || exit
if cmp -s agent/settings.json.new agent/settings.json; then rm agent/settings.json.new; echo same; exit; fi
cp agent/settings.json agent/settings.json.before 2>/dev/null
mv agent/settings.json.new agent/settings.json`;
  return (
    (await runStepAsRoot(connection, image, { step: "write the agent's settings", script, input: settings })) === "same"
  );
}

interface Replacement {
  readonly image: string;
  readonly label: string;
  readonly version: string;
  readonly newEdge: boolean;
}

/**
 * Host network: the edge sees the clients' real addresses, and the agent reaches containers of every network. The
 * host's processes: through /proc the agent sees on which ports a container really listens, whatever is in its image.
 */
const startScript = `image=$1; label=$2; version=$3; new_edge=$4
exists() { docker container inspect "$1" >/dev/null 2>&1; }
docker rm --force ${agentContainer}-before >/dev/null 2>&1
if exists ${agentContainer}; then
  docker stop --time 10 ${agentContainer} >/dev/null && docker rename ${agentContainer} ${agentContainer}-before || exit
fi
if [ "$new_edge" = true ] && exists ${edgeContainer}; then
  docker rm --force ${edgeContainer}-before >/dev/null 2>&1
  docker rename ${edgeContainer} ${edgeContainer}-before || exit
fi
exec docker run --detach --name ${agentContainer} --restart unless-stopped --network host --pid host \
  --label dev.ikoma.part=agent --label "dev.ikoma.setup=$label" --env "IKOMA_AGENT_VERSION=$version" \
  --volume /var/run/docker.sock:/var/run/docker.sock --volume ${hostFolder}:${hostFolder} \
  --log-driver json-file --log-opt max-size=10m --log-opt max-file=3 "$image"`;

const takeBackScript = `docker rm --force ${agentContainer} >/dev/null 2>&1
if docker container inspect ${edgeContainer}-before >/dev/null 2>&1; then
  docker rm --force ${edgeContainer} >/dev/null 2>&1
  docker rename ${edgeContainer}-before ${edgeContainer} && docker start ${edgeContainer}
fi
if docker container inspect ${agentContainer}-before >/dev/null 2>&1; then
  docker rename ${agentContainer}-before ${agentContainer} && docker start ${agentContainer}
fi`;

/** The old edge ends its connections in its own time, in the background: nobody waits for that. */
const finishScript = `docker rm --force ${agentContainer}-before >/dev/null 2>&1
if docker container inspect ${edgeContainer}-before >/dev/null 2>&1; then
  docker update --restart no ${edgeContainer}-before >/dev/null
  (docker stop --time ${edgeDrainSeconds} ${edgeContainer}-before; docker rm --force ${edgeContainer}-before) >/dev/null 2>&1 </dev/null &
fi
true`;

async function replaceContainers(
  connection: SshConnection,
  agent: AgentClient,
  replacement: Replacement,
): Promise<void> {
  const { image, label, version, newEdge } = replacement;
  try {
    await runStep(connection, {
      step: "start the agent",
      script: startScript,
      args: [image, label, version, String(newEdge)],
    });
    await waitForHandshake(connection, agent);
  } catch (error) {
    await agent.close();
    const restoreSettings = `cd ${hostFolder}/agent && [ ! -e settings.json.before ] || mv settings.json.before settings.json`;
    await runStepAsRoot(connection, image, { step: "restore the agent's settings", script: restoreSettings });
    await runStep(connection, { step: "take the new agent back", script: takeBackScript });
    throw error;
  }
  const forgetSettings = `rm -f ${hostFolder}/agent/settings.json.before`;
  await runStepAsRoot(connection, image, { step: "remove the old settings", script: forgetSettings });
  await runStep(connection, { step: "remove the old agent", script: finishScript });
}

async function waitForHandshake(connection: SshConnection, agent: AgentClient): Promise<Handshake> {
  const deadline = Date.now() + handshakeDeadlineMs;
  for (;;) {
    try {
      return await agent.handshake();
    } catch (error) {
      if (Date.now() > deadline || (error instanceof IkomaError && error.code === "AGENT_PROTOCOL"))
        throw await startError(connection, error);
      await sleep(100);
    }
  }
}

async function startError(connection: SshConnection, cause: unknown): Promise<IkomaError> {
  const log = await connection.exec(`docker logs --tail 15 ${agentContainer} 2>&1`).catch(() => undefined);
  const message = `The new agent on ${hostLabel(connection.host)} did not answer within ${handshakeDeadlineMs / 1000} s; it was taken back.`;
  return new IkomaError("HOST_NOT_READY", message, {
    hint: "Read the agent's log lines above, correct the cause, and run `ikoma host bootstrap` again.",
    details: { log: (log?.stdout ?? "").trim().split("\n") },
    cause,
  });
}

async function answers(agent: AgentClient): Promise<boolean> {
  return agent.handshake().then(
    () => true,
    () => false,
  );
}
