import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { errorTable, IkomaError, type ErrorCode } from "../errors.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { hostLabel } from "../transport/ssh-errors.ts";
import { hostFolder, runStep } from "./host-commands.ts";

/** What a container of the agent is started with. */
export interface AgentStart {
  readonly image: string;
  /** Equal for equal starts. */
  readonly label: string;
  readonly version: string;
  /** As JSON. Free of secrets. */
  readonly settings: string;
}

const successor = "ikoma-agent-next";
const pollMs = 150;
/** For an agent that says nothing: it has not touched anything yet. */
const firstWordMs = 30_000;
/** From one word to the next, but while it waits for a deploy: it gives up by itself before that. */
const nextWordMs = 90_000;

/**
 * Host network: the edge sees the clients' real addresses, and the agent reaches containers of every network. The
 * host's processes: through /proc the agent sees on which ports a container really listens, whatever is in its image.
 * Until it has taken over, a reboot ends it.
 */
const startScript = `image=$1; label=$2; version=$3; settings=$4; instance=$5
docker rm --force ${successor} >/dev/null 2>&1
exec docker run --detach --name ${successor} --restart no --network host --pid host \
  --label dev.ikoma.part=agent --label "dev.ikoma.setup=$label" --label "dev.ikoma.instance=$instance" \
  --env "IKOMA_AGENT_VERSION=$version" --env "IKOMA_AGENT_INSTANCE=$instance" --env "IKOMA_SETTINGS=$settings" \
  --volume /var/run/docker.sock:/var/run/docker.sock --volume ${hostFolder}:${hostFolder} \
  --log-driver json-file --log-opt max-size=10m --log-opt max-file=3 "$image"`;

const lookScript = `docker inspect --format '{{.State.Status}}' "$1" && docker logs "$1" 2>&1`;

/** What the new agent's log tells of its take-over. */
const word = z.looseObject({
  takeOver: z.enum(["proving", "waiting", "taking over", "done", "failed"]),
  msg: z.string(),
  code: z.string().optional(),
  hint: z.string().optional(),
});
type Word = z.infer<typeof word>;

/** Starts a new agent beside the one that works; what follows it does by itself. Gives the container's id. */
export async function startTakeOver(connection: SshConnection, start: AgentStart): Promise<string> {
  const { image, label, version, settings } = start;
  const args = [image, label, version, settings, randomUUID()];
  return runStep(connection, { step: "start the agent", script: startScript, args });
}

/**
 * Waits until the new agent has taken over. One that failed has put back what was; its container is removed.
 *
 * @throws the agent's own error; HOST_NOT_READY with its last log lines
 */
export async function followTakeOver(
  connection: SshConnection,
  container: string,
  onStep: (message: string) => void,
): Promise<void> {
  let told = 0;
  let toldAtMs = Date.now();
  for (;;) {
    const [state = "", ...log] = (await look(connection, container)).split("\n");
    const words = log.flatMap(wordOf);
    for (const { msg } of words.slice(told)) onStep(msg);
    if (words.length > told) [told, toldAtMs] = [words.length, Date.now()];
    const last = words.at(-1);
    if (last?.takeOver === "done") return;
    if (state === "exited" || state === "dead" || last?.takeOver === "failed") {
      await endTakeOver(connection, container);
      throw failure(connection, last, log);
    }
    const silentMs = Date.now() - toldAtMs;
    if (last?.takeOver !== "waiting" && silentMs > (told === 0 ? firstWordMs : nextWordMs)) {
      await endTakeOver(connection, container);
      throw failure(connection, undefined, log);
    }
    await sleep(pollMs);
  }
}

function look(connection: SshConnection, container: string): Promise<string> {
  return runStep(connection, { step: "look at the new agent", script: lookScript, args: [container] });
}

/** An agent that is told to end puts back what was. */
async function endTakeOver(connection: SshConnection, container: string): Promise<void> {
  const script = `docker stop --time 30 "$1" >/dev/null; exec docker rm --force "$1" >/dev/null`;
  await runStep(connection, { step: "remove the new agent", script, args: [container] });
}

function wordOf(line: string): Word[] {
  if (!line.startsWith("{")) return [];
  try {
    const { success, data } = word.safeParse(JSON.parse(line));
    return success ? [data] : [];
  } catch {
    return [];
  }
}

function failure(connection: SshConnection, last: Word | undefined, log: readonly string[]): IkomaError {
  const host = hostLabel(connection.host);
  const said = last?.takeOver === "failed" ? last : undefined;
  const code = isKnown(said?.code) ? said.code : "HOST_NOT_READY";
  const reason = said?.msg ?? log.at(-1) ?? "it said nothing.";
  return new IkomaError(code, `The new agent on ${host} did not take over, what ran before runs on: ${reason}`, {
    hint: code === said?.code && said.hint !== undefined ? said.hint : errorTable.HOST_NOT_READY.hint,
    details: { log: log.slice(-15) },
  });
}

/** What the agent did not foresee is no defect of this program. */
function isKnown(code: string | undefined): code is ErrorCode {
  return code !== undefined && code !== "INTERNAL" && Object.hasOwn(errorTable, code);
}
