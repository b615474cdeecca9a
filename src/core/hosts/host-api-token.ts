import { IkomaError } from "../errors.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { hostFolder, runStepAsRoot } from "./host-commands.ts";

const tokenPath = `${hostFolder}/agent/api-token`;

/** Compared on the host: what it has never leaves it. */
const keepScript = `umask 077
mkdir -p ${hostFolder}/agent && cat >${tokenPath}.new || exit
if cmp -s ${tokenPath}.new ${tokenPath}; then rm ${tokenPath}.new; echo same; exit; fi
mv ${tokenPath}.new ${tokenPath} && echo changed`;

const lookScript = `if [ -s ${tokenPath} ]; then echo there; fi`;

/**
 * Gives a host the token that its agent proves itself to the API with, readable by root only.
 *
 * @param image the agent's image, to write with where the user is not root
 * @returns whether that changed anything on the host
 */
export async function keepApiToken(connection: SshConnection, image: string, token: string): Promise<boolean> {
  const step = { step: "keep the token for the API", script: keepScript, input: token };
  return (await runStepAsRoot(connection, image, step)) === "changed";
}

/** @throws CONFIG_MISSING where the agent is to dial out and has nothing to prove itself with */
export async function requireApiToken(connection: SshConnection, image: string, name: string): Promise<void> {
  const found = await runStepAsRoot(connection, image, { step: "look for the token for the API", script: lookScript });
  if (found === "there") return;
  throw new IkomaError("CONFIG_MISSING", `The agent of ${name} is to dial out to the API, and has no token for it.`, {
    hint: `Make one with \`ikoma api token create --host ${name}\` and give it with --api-token-file.`,
  });
}
