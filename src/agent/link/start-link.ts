import { readFile } from "node:fs/promises";
import { IkomaError } from "../../core/errors.ts";
import { ApiClient } from "../../core/link/api-client.ts";
import { agentVersion } from "../handshake.ts";
import type { Host } from "../host.ts";
import type { AgentSettings } from "../settings.ts";
import { PullLink } from "./pull-link.ts";

/** Begins to dial out. Gives what ends that. */
export function startLink(host: Host, api: NonNullable<AgentSettings["api"]>): () => void {
  const { outbox, log, paths, repairs } = host;
  if (outbox === undefined) throw new Error("a host with an API has an outbox");
  const token = (): Promise<string> => readToken(paths.apiToken);
  const link = new PullLink({
    api: new ApiClient({ ...api, token }),
    socketPath: paths.socket,
    outbox,
    log,
    agentVersion,
    note: (message) => {
      repairs.note(message);
    },
  });
  void link.run();
  return () => {
    link.stop();
  };
}

/** Each time anew: another token needs no restart. */
async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new IkomaError("API_AUTH", `The token for the API cannot be read (${path}).`, {
      hint: "Run `ikoma host bootstrap HOST --api-token-file FILE`.",
      cause,
    });
  }
}
