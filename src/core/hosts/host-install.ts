import { createHash } from "node:crypto";
import type { HostSetup } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";
import type { AgentClient } from "../transport/agent-client.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { followTakeOver, startTakeOver } from "./agent-take-over.ts";
import { runStep } from "./host-commands.ts";
import { bringImages } from "./host-images.ts";

/** What is to be on the host. */
export interface Installation {
  readonly setup: HostSetup;
  /** Version of agent and edge; their images are `ikoma/agent:<version>` and `ikoma/edge:<version>` unless the setup names others. */
  readonly version: string;
}

const agentContainer = "ikoma-agent";
const edgeContainer = "ikoma-edge";

/**
 * Puts the agent on a host, or brings it to another version or configuration; where all is as asked for, nothing is
 * touched. The new agent takes over from the one before by itself, once that has nothing under way; one that cannot
 * do its work never replaces it. The apps are served all the while: a new edge takes over the ports before the old
 * one ends.
 *
 * @throws JOURNAL_NEWER for an agent older than the host's ledger, DEPLOY_IN_PROGRESS where a deploy does not end,
 *   HOST_NOT_READY with the agent's last log lines when it does not come up, HOST_UNSUPPORTED for a failed step
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
  const { httpPort, httpsPort, networkPool, imageBudgetGb, signatures, api } = setup;
  const edgeImage = images.edge;
  const settings = JSON.stringify({ httpPort, httpsPort, networkPool, imageBudgetGb, edgeImage, signatures, api });
  const found = await lookAtHost(connection, images);
  requireTakeOver(found, images.agent);
  const label = labelOf(found.agentImageId, version, settings);
  if (found.agent === `running ${label}` && found.edge === `running ${found.edgeImageId}` && (await answers(agent)))
    return;
  await agent.close();
  onStep(found.agent === "" ? "starting the agent" : "replacing the agent");
  const started = await startTakeOver(connection, { image: images.agent, label, version, settings });
  await followTakeOver(connection, started, onStep);
  await agent.close();
  // It works; what is left to find out is whether this program and that agent speak the same protocol.
  await agent.handshake();
}

/** Stops and removes the agent and the edge; the ledger and all data stay. */
export async function removeAgent(connection: SshConnection): Promise<void> {
  const script = `docker ps --all --quiet --filter label=dev.ikoma.part=agent | xargs -r docker rm --force >/dev/null 2>&1
docker rm --force ${edgeContainer} >/dev/null 2>&1 || true`;
  await runStep(connection, { step: "remove the agent", script });
}

/** The images of agent and edge that a setup asks for. */
export function imagesOf(setup: HostSetup, version: string): { agent: string; edge: string } {
  return { agent: setup.agentImage ?? `ikoma/agent:${version}`, edge: setup.edgeImage ?? `ikoma/edge:${version}` };
}

interface Found {
  agentImageId: string;
  /** Whether the agent of that image knows how to take over from another. */
  takesOver: boolean;
  edgeImageId: string;
  /** `running <label>`, another state, or empty. */
  agent: string;
  /** `running <image id>`, another state, or empty. */
  edge: string;
}

async function lookAtHost(connection: SshConnection, images: { agent: string; edge: string }): Promise<Found> {
  const script = `docker image inspect --format '{{.Id}} {{index .Config.Labels "dev.ikoma.take-over"}}' "$1" || exit
docker image inspect --format '{{.Id}}' "$2" || exit
docker inspect --format '{{.State.Status}} {{index .Config.Labels "dev.ikoma.setup"}}' ${agentContainer} 2>/dev/null || echo
docker inspect --format '{{.State.Status}} {{.Image}}' ${edgeContainer} 2>/dev/null || echo`;
  const printed = await runStep(connection, {
    step: "look at agent and edge",
    script,
    args: [images.agent, images.edge],
  });
  const [image = "", edgeImageId = "", agent = "", edge = ""] = printed.split("\n").map((line) => line.trim());
  const [agentImageId = "", takeOver] = image.split(" ");
  return { agentImageId, takesOver: takeOver === "1", edgeImageId, agent, edge };
}

/** An agent from before take-overs would work beside the one that is there, on the same ledger. */
function requireTakeOver({ takesOver }: Found, image: string): void {
  if (takesOver) return;
  throw new IkomaError("HOST_UNSUPPORTED", `${image} is not an image of the agent that this program can install.`, {
    hint: "Use an image of this program's version, or the older program to install an older agent on a new server.",
  });
}

/** Changes with everything that a container is started with. */
function labelOf(imageId: string, version: string, settings: string): string {
  return createHash("sha256")
    .update(JSON.stringify([imageId, version, settings]))
    .digest("hex")
    .slice(0, 32);
}

async function answers(agent: AgentClient): Promise<boolean> {
  return agent.handshake().then(
    () => true,
    () => false,
  );
}
