import * as z from "zod";
import { IkomaError } from "../errors.ts";
import type { SshConnection } from "../transport/ssh-connection.ts";
import { hostFolder, runStep, runStepAsRoot } from "./host-commands.ts";

/** What a host logs in to a registry with. */
export interface RegistryLogin {
  readonly registry: string;
  readonly user: string;
  /** Goes over standard input only; never into arguments, messages or results. */
  readonly password: string;
}

const dockerConfig = z.looseObject({
  auths: z.record(z.string(), z.looseObject({ auth: z.string().optional() })).optional(),
});
const configPath = `${hostFolder}/docker/config.json`;

/** The engine itself asks the registry; a folder of its own keeps the login out of the user's files. */
const loginScript = `
umask 077
folder=$(mktemp -d) || exit
trap 'rm -rf "$folder"' EXIT
docker --config "$folder" login --username "$1" --password-stdin "$2" >&2 || exit
cat "$folder/config.json"
`;
const readScript = `cat ${configPath} 2>/dev/null || true`;
const writeScript = `umask 077
mkdir -p ${hostFolder}/docker && cat >${configPath}.new && mv ${configPath}.new ${configPath}`;

/**
 * Logs a host in to a registry: the registry is asked first, then the login is kept for the agent, readable by root
 * only, beside those for other registries.
 *
 * @param image the agent's image, to write with where the user is not root
 * @returns whether that changed anything on the host
 * @throws REGISTRY_AUTH, REGISTRY_UNREACHABLE
 */
export async function loginToRegistry(
  connection: SshConnection,
  image: string,
  login: RegistryLogin,
): Promise<boolean> {
  const proved = parseConfig(await askRegistry(connection, login));
  const before = parseConfig(
    await runStepAsRoot(connection, image, { step: "read the registry logins", script: readScript }),
  );
  const entries = Object.entries(proved.auths ?? {});
  if (entries.every(([registry, { auth }]) => auth !== undefined && before.auths?.[registry]?.auth === auth))
    return false;
  const after = { ...before, auths: { ...before.auths, ...proved.auths } };
  const input = `${JSON.stringify(after, undefined, 2)}\n`;
  await runStepAsRoot(connection, image, { step: "keep the registry login", script: writeScript, input });
  return true;
}

async function askRegistry(connection: SshConnection, { registry, user, password }: RegistryLogin): Promise<string> {
  try {
    return await runStep(connection, {
      step: `log in to ${registry}`,
      script: loginScript,
      args: [user, registry],
      input: password,
    });
  } catch (error) {
    if (!(error instanceof IkomaError) || error.code !== "HOST_UNSUPPORTED") throw error;
    const isRefused = /unauthorized|denied|incorrect|401/i.test(error.message);
    const hint = isRefused
      ? "Check the user and the password (or token) of the registry."
      : "Check the registry's name, and that the host can reach it.";
    throw new IkomaError(isRefused ? "REGISTRY_AUTH" : "REGISTRY_UNREACHABLE", error.message, {
      hint,
      details: error.details,
      cause: error,
    });
  }
}

function parseConfig(text: string): z.infer<typeof dockerConfig> {
  return text === "" ? {} : dockerConfig.parse(JSON.parse(text));
}
