import { IkomaError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import { remoteScript } from "../transport/remote-script.ts";
import type { ExecResult, SshConnection } from "../transport/ssh-connection.ts";
import { hostLabel } from "../transport/ssh-errors.ts";
import type { ExecOptions } from "../transport/ssh-connection.ts";

/** Folder of the agent on a host: the same inside its container. */
export const hostFolder = "/var/lib/ikoma";

/** One step on a host, for messages and for its failure. */
export interface HostStep extends ExecOptions {
  /** What is done, as in `The step "pull the images" failed`. */
  readonly step: string;
  /** Script for `sh`; `args` are its `$1`, `$2`…. Never a secret in either: those go to `input`. */
  readonly script: string;
  readonly args?: readonly string[];
  /** What a failure of it is. @default HOST_UNSUPPORTED */
  readonly code?: ErrorCode;
}

/** Runs a step and gives what it printed; its failure names the host, the step and what it said on stderr. */
export async function runStep(connection: SshConnection, step: HostStep): Promise<string> {
  const { step: name, script, args = [], code, ...options } = step;
  const result = await connection.exec(remoteScript(script, ...args), options);
  if (result.code === 0) return result.stdout.trim();
  throw stepError(connection, name, result, code);
}

/**
 * As {@link runStep}, as root and for files below {@link hostFolder} only. A user who is not root but may use the
 * engine does it in a container of `image` that sees nothing else.
 */
export async function runStepAsRoot(connection: SshConnection, image: string, step: HostStep): Promise<string> {
  if (connection.host.user === "root") return runStep(connection, step);
  const script = `image=$1; script=$2; shift 2
exec docker run --rm --interactive --network none --volume ${hostFolder}:${hostFolder} --entrypoint sh "$image" -c "$script" sh "$@"`;
  return runStep(connection, { ...step, script, args: [image, step.script, ...(step.args ?? [])] });
}

function stepError(
  connection: SshConnection,
  step: string,
  { code, stdout, stderr }: ExecResult,
  as: ErrorCode = "HOST_UNSUPPORTED",
): IkomaError {
  const said = (stderr.trim() === "" ? stdout : stderr).trim().split("\n").slice(-15);
  const ended = code === null ? "was ended by a signal" : `ended with ${code}`;
  const message = `On ${hostLabel(connection.host)}, the step "${step}" ${ended}: ${said.at(-1) || "it said nothing"}`;
  return new IkomaError(as, message, { details: { step, exitCode: code, log: said } });
}
