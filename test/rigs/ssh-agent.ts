import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";

/** Runs `use` beside a real SSH agent that holds these keys; `folder` gets its socket. */
export async function withSshAgent(
  folder: string,
  keys: readonly string[],
  use: (socket: string) => Promise<void>,
): Promise<void> {
  const socket = join(folder, "agent.sock");
  const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    await once(agent.stdout, "data");
    const env = { ...process.env, SSH_AUTH_SOCK: socket };
    for (const key of keys) await promisify(execFile)("ssh-add", ["-q", key], { env });
    await use(socket);
  } finally {
    const ended = once(agent, "close");
    agent.kill();
    await ended;
  }
}
