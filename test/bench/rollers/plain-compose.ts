import { installCompose } from "../../../src/core/hosts/host-engine.ts";
import type { AgentHost } from "../../e2e/fixture/agent-host.ts";
import type { TinyWebImage } from "../../e2e/fixture/tiny-web.ts";
import { exampleCompose } from "../parts/bench-stand.ts";
import { alternating, type Roller } from "./roller.ts";

const folder = "/root/plain-compose";
/** The one that the example's own compose file publishes. */
const port = 8080;

/** `docker compose up --detach --wait` on the machine, of the example's own compose file; images are there already. */
export async function plainComposeRoller(host: AgentHost, v1: TinyWebImage, v2: TinyWebImage): Promise<Roller> {
  const { vps } = host;
  const { stdout: agentImage } = await vps.exec("docker inspect --format '{{.Config.Image}}' ikoma-agent");
  await installCompose(await host.connection(), agentImage.trim());
  await vps.exec(`mkdir -p ${folder}`);
  await vps.exec(`cat > ${folder}/compose.yaml`, { stdin: await exampleCompose() });
  const override = "services:\n  web:\n    image: ${TINY_WEB_IMAGE:?}\n";
  await vps.exec(`cat > ${folder}/compose.override.yaml`, { stdin: override });
  const up = async ({ reference }: TinyWebImage): Promise<number> => {
    const startedMs = performance.now();
    const command = `cd ${folder} && TINY_WEB_IMAGE='${reference}' docker compose up --detach --wait --no-build`;
    const { code, stderr } = await vps.exec(command);
    if (code !== 0) throw new Error(`plain docker compose on the machine: exit code ${code}\n${stderr}`);
    return performance.now() - startedMs;
  };
  await up(v1);
  const next = alternating(v1, v2);
  return { name: "plain compose", url: `http://${vps.address}:${port}/`, domain: undefined, change: () => up(next()) };
}
