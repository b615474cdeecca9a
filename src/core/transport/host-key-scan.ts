import { connect as connectTcp } from "node:net";
import ssh2 from "ssh2";
import type { ServerHostKeyAlgorithm } from "ssh2";
import type { HostConfig } from "../config/schema.ts";
import { hostKeyText, keyType, preferredKeyAlgorithms } from "./host-key.ts";
import { unreachableError } from "./ssh-errors.ts";

const scanTimeoutMs = 10_000;

/**
 * The keys that a server shows to anybody who connects, the preferred one first; nobody logs in. That the server also
 * holds them is proved when they are used.
 *
 * @throws HOST_UNREACHABLE
 */
export async function scanHostKeys(host: Pick<HostConfig, "address" | "port" | "user">): Promise<string[]> {
  const keys: string[] = [];
  let left = preferredKeyAlgorithms;
  while (left.length > 0) {
    const key = await scanKey(host, left);
    if (key === undefined) break;
    keys.push(key);
    const type = keyType(key);
    left = left.filter((algorithm) => algorithm !== type && !(type === "ssh-rsa" && algorithm.startsWith("rsa-")));
  }
  if (keys.length === 0) throw unreachableError(host, "it has no key of a kind that is still safe", undefined);
  return keys;
}

/** Undefined where the server has no key of these kinds. */
function scanKey(
  host: Pick<HostConfig, "address" | "port" | "user">,
  serverHostKey: ServerHostKeyAlgorithm[],
): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: host.address, port: host.port, noDelay: true });
    const client = new ssh2.Client();
    const settle = (done: () => void): void => {
      clearTimeout(deadline);
      done();
      client.destroy();
      socket.destroy();
    };
    const fail = (error: Error): void => {
      if (/no matching host key/.test(error.message))
        settle(() => {
          resolve(undefined);
        });
      else
        settle(() => {
          reject(unreachableError(host, error.message, error));
        });
    };
    const deadline = setTimeout(() => {
      fail(new Error(`no answer within ${scanTimeoutMs / 1000} s`));
    }, scanTimeoutMs);
    client.on("error", fail);
    client.once("close", () => {
      fail(new Error("the server closed the connection"));
    });
    client.connect({
      sock: socket,
      username: host.user,
      algorithms: { serverHostKey },
      hostVerifier: (key: Buffer) => {
        settle(() => {
          resolve(hostKeyText(key));
        });
        return false;
      },
      readyTimeout: 0,
    });
  });
}
