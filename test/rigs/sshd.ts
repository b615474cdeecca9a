import { execFile, spawn, type ChildProcess } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { HostConfig } from "../../src/core/config/schema.ts";
import { waitUntil } from "../lab/wait-until.ts";
import { end, onOwnPort } from "./own-port.ts";

const run = promisify(execFile);

/** A real OpenSSH server on loopback, for the tests of this folder. */
export interface SshdRig {
  /** How to reach it, its ed25519 key pinned. */
  readonly host: HostConfig;
  readonly folder: string;
  /** Public host key by type, as it is pinned. */
  readonly hostKeys: { readonly ed25519: string; readonly rsa: string };
  stop(): Promise<void>;
}

export interface SshdOptions {
  /** Lines for sshd_config. */
  readonly settings?: readonly string[];
  readonly keys?: readonly ("ed25519" | "rsa")[];
}

/** Starts sshd with an own configuration; the current user may log in with `folder/id_ed25519`. */
export async function startSshd({ settings = [], keys = ["ed25519", "rsa"] }: SshdOptions = {}): Promise<SshdRig> {
  const folder = await mkdtemp(join(tmpdir(), "ikoma-sshd-"));
  await Promise.all([
    makeKey(folder, "host_ed25519", "ed25519"),
    makeKey(folder, "host_rsa", "rsa"),
    makeKey(folder, "id_ed25519", "ed25519"),
  ]);
  const lines = [
    `ListenAddress 127.0.0.1`,
    ...keys.map((type) => `HostKey ${folder}/host_${type}`),
    `AuthorizedKeysFile ${folder}/id_ed25519.pub`,
    "PermitRootLogin prohibit-password",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "StrictModes no",
    "UsePAM no",
    "PidFile none",
    ...settings,
  ];
  const file = join(folder, "sshd_config");
  await writeFile(file, `${lines.join("\n")}\n`);
  await mkdir("/run/sshd", { recursive: true }).catch(() => undefined); // only root needs it, and may make it
  const { port, server } = await onOwnPort([18_000, 20_000], (number) => startOn(number, file));
  const hostKeys = { ed25519: await publicKey(folder, "host_ed25519"), rsa: await publicKey(folder, "host_rsa") };
  const identityFile = join(folder, "id_ed25519");
  return {
    host: { address: "127.0.0.1", port, user: userInfo().username, hostKey: hostKeys.ed25519, identityFile },
    folder,
    hostKeys,
    stop: async () => {
      await end(server, "SIGTERM");
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Makes a key pair; an empty passphrase leaves it unencrypted. */
export async function makeKey(folder: string, name: string, type: "ed25519" | "rsa", passphrase = ""): Promise<string> {
  const path = join(folder, name);
  await run("ssh-keygen", ["-q", "-t", type, "-N", passphrase, "-C", "test", "-f", path]);
  return path;
}

/** A connection to a server through this process, which can be cut or frozen like a network. */
export interface CuttableLine {
  readonly port: number;
  /** Ends every connection without a farewell; later ones work. */
  cut(): void;
  close(): void;
}

/** Relays connections to a port of loopback; with `quietMs` the server's bytes come in one piece once it was silent for so long. */
export async function startLine(toPort: number, { quietMs = 0 } = {}): Promise<CuttableLine> {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(toPort, "127.0.0.1");
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    }
    near.pipe(far);
    if (quietMs === 0) far.pipe(near);
    else relayInBatches(far, near, quietMs);
  });
  const port = await listening(server);
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port,
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
}

function relayInBatches(from: Socket, to: Socket, quietMs: number): void {
  let held: Buffer[] = [];
  const release = (): void => {
    to.write(Buffer.concat(held));
    held = [];
  };
  let timer: NodeJS.Timeout | undefined;
  from.on("data", (chunk: Buffer) => {
    held.push(chunk);
    clearTimeout(timer);
    timer = setTimeout(release, quietMs);
  });
}

/** Lets a server listen on a free port of loopback. */
export function listening(server: Pick<Server, "address"> & Listener): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}

interface Listener {
  listen(port: number, address: string, listening: () => void): unknown;
}

async function publicKey(folder: string, name: string): Promise<string> {
  const text = await readFile(join(folder, `${name}.pub`), "utf8");
  return text.split(" ").slice(0, 2).join(" ");
}

/** Undefined where somebody else has the port. */
async function startOn(port: number, file: string): Promise<{ port: number; server: ChildProcess } | undefined> {
  const server = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", file, "-p", String(port)], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  let isOver = false;
  let failure: Error | undefined;
  server.stderr.on("data", (chunk: Buffer) => (log += chunk.toString()));
  server.on("error", (error) => (failure = error));
  server.on("close", () => (isOver = true));
  const listens = (): boolean => log.includes(`Server listening on 127.0.0.1 port ${port}.`);
  await waitUntil("sshd listens", () => isOver || failure !== undefined || listens());
  if (listens()) return { port, server };
  if (log.includes("Address already in use")) return undefined;
  throw new Error(`sshd did not start (Debian's package openssh-server is needed): ${failure?.message ?? log}`);
}
