import { IkomaError } from "../errors.ts";
import type { NamedHost } from "./host-agent.ts";
import type { SshConnection } from "./ssh-connection.ts";

/**
 * What commands are run on a host with: SSH, or a shell of this machine where the host is this machine.
 *
 * @param purpose what needs it, as in `the bootstrap of`
 * @throws HOST_SHELL_NEEDED where the host is only reached through the API; what connecting throws
 */
export async function openShell({ name, way }: NamedHost, purpose: string): Promise<SshConnection> {
  if ("api" in way) {
    throw new IkomaError(
      "HOST_SHELL_NEEDED",
      `Commands have to be run on the server for ${purpose} ${name}, which is only reached through ${way.api}.`,
    );
  }
  if ("socket" in way) return new (await import("./local-shell.ts")).LocalShell();
  return (await import("./host-connections.ts")).connectHost(way);
}
