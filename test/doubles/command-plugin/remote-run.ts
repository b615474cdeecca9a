import { once } from "node:events";
import { constants } from "node:os";
import ssh2 from "ssh2";
import type { Client, ClientChannel, ConnectConfig, ServerHostKeyAlgorithm } from "ssh2";
import type { CommandInputs, Connection } from "./inputs.ts";

/** A command that was run on a host. */
export interface RemoteRun {
  readonly urn: string;
  readonly kind: "create" | "update" | "delete";
  readonly command: string;
}

/** What a command printed, as the resource's outputs have it. */
export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** What a run needs besides the command. */
export interface RunContext {
  readonly inputs: CommandInputs;
  /** Of the run before. */
  readonly previous: CommandOutput;
  /** Of the plugin's process. */
  readonly environment: NodeJS.ProcessEnv;
  readonly log: (message: string) => void;
}

/**
 * Logs in, runs the command with its standard input, and gives what it printed.
 *
 * @throws an error with the command and everything that it printed in its message, as the plugin does
 */
export async function runRemotely(
  command: string,
  { inputs, previous, environment, log }: RunContext,
): Promise<CommandOutput> {
  const client = await dial(inputs.connection, environment, log);
  try {
    const env = { ...inputs.environment, ...(inputs.addPreviousOutputInEnv === false ? {} : previousOutput(previous)) };
    return await new Promise((resolve, reject) => {
      client.exec(command, { env }, (error, channel) => {
        // All in this very turn: output, exit code and end of a quick command come in one piece with the answer.
        if (error === undefined) attend(channel, command, inputs, log).then(resolve, reject);
        else reject(error);
      });
    });
  } finally {
    client.end();
  }
}

function previousOutput({ stdout, stderr }: CommandOutput): Record<string, string> {
  return {
    ...(stdout !== "" && { PULUMI_COMMAND_STDOUT: stdout }),
    ...(stderr !== "" && { PULUMI_COMMAND_STDERR: stderr }),
  };
}

async function attend(
  channel: ClientChannel,
  command: string,
  { stdin, logging }: CommandInputs,
  log: (message: string) => void,
): Promise<CommandOutput> {
  const printed = { stdout: "", stderr: "", both: "" };
  const collect = (kind: "stdout" | "stderr") => (chunk: Buffer) => {
    printed[kind] += chunk.toString();
    printed.both += chunk.toString();
    if (logging === undefined || logging === kind || logging === "stdoutAndStderr") log(chunk.toString());
  };
  channel.on("data", collect("stdout"));
  channel.stderr.on("data", collect("stderr"));
  let ended: { code: number | null; signal?: string | undefined } | undefined;
  channel.on("exit", (code: number | null, signal?: string) => (ended = { code, signal }));
  channel.end(stdin ?? "");
  await once(channel, "close");
  if (ended?.code === 0)
    return { stdout: printed.stdout.replace(/\n$/, ""), stderr: printed.stderr.replace(/\n$/, "") };
  throw new Error(`${howItEnded(ended)}: running ${JSON.stringify(command)}:\n${printed.both}`);
}

function howItEnded(ended: { code: number | null; signal?: string | undefined } | undefined): string {
  if (ended === undefined) return "wait: remote command exited without exit status or exit signal";
  const { signal } = ended;
  if (signal !== undefined)
    return `Process exited with status ${128 + constants.signals[signal as NodeJS.Signals]} from signal ${signal.slice("SIG".length)}`;
  return `Process exited with status ${ended.code}`;
}

/** Again and again up to the limit of the connection, whatever the reason was. */
async function dial(
  connection: Connection,
  environment: NodeJS.ProcessEnv,
  log: (message: string) => void,
): Promise<Client> {
  const { dialErrorLimit: limit } = connection;
  for (let tries = 0; ; tries += 1) {
    try {
      return await dialOnce(connection, environment);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (limit >= 0 && tries + 1 > limit)
        throw new Error(`after ${tries} failed attempts: ${reason}`, { cause: error });
      log(`Dial ${tries + 1}/${limit === -1 ? "inf" : limit} failed: retrying`);
    }
  }
}

function dialOnce(connection: Connection, environment: NodeJS.ProcessEnv): Promise<Client> {
  const { host, port } = connection;
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.once("ready", () => {
      resolve(client);
    });
    client.on("error", (error: Error & { level?: string }) => {
      const isAgent = error.level === "agent";
      if (isAgent && connection.privateKey !== undefined) return;
      reject(new Error(inWordsOfGo(error, `${host}:${port}`)));
      client.destroy();
    });
    client.connect(loginOf(connection, environment));
  });
}

function loginOf(connection: Connection, environment: NodeJS.ProcessEnv): ConnectConfig {
  const { host, port, user, privateKey, perDialTimeout, hostKey } = connection;
  const agent = connection.agentSocketPath ?? environment["SSH_AUTH_SOCK"];
  const [type = "", key = ""] = hostKey?.split(" ") ?? [];
  return {
    host,
    port,
    username: user,
    readyTimeout: perDialTimeout * 1000,
    ...(privateKey !== undefined && { privateKey }),
    ...(agent !== undefined && { agent }),
    // Without a pinned key the plugin takes any.
    ...(hostKey !== undefined && {
      algorithms: { serverHostKey: [type as ServerHostKeyAlgorithm] },
      hostVerifier: (offered: Buffer) => Buffer.from(key, "base64").equals(offered),
    }),
  };
}

/** What Go's client says in these cases. */
function inWordsOfGo(error: Error & { level?: string }, endpoint: string): string {
  if (error.level === "client-socket") return `dial tcp ${endpoint}: connect: ${error.message}`;
  if (error.level === "agent") return `dial unix: ${error.message}`;
  if (error.level === "client-authentication")
    return "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain";
  if (/no matching host key/.test(error.message)) return "ssh: handshake failed: ssh: no common algorithm for host key";
  if (/verification failed/i.test(error.message)) return "ssh: handshake failed: ssh: host key mismatch";
  return `ssh: handshake failed: ${error.message}`;
}
