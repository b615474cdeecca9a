import { spawn } from "node:child_process";
import { open, readFile, rm } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { removeControlGroups } from "./control-groups.ts";
import { hasPreparedEngine, preparedEngineFolder, restoreEngine, saveEngine } from "./engine-disk.ts";
import { sourceFolder } from "./lab-folders.ts";
import { withLabLock } from "./lab-lock.ts";
import { identityFileOf, makeDisk, readHostPublicKey } from "./machine-disk.ts";
import {
  addressOf,
  connectNetwork,
  cutNetwork,
  namespaceOf,
  removeLostRoute,
  removeNetwork,
  restoreNetwork,
  unplugNetwork,
} from "./machine-network.ts";
import {
  claimName,
  claimSubnet,
  listSubnetClaims,
  machineFolder,
  readRecord,
  releaseSubnet,
  writeRecord,
  type MachineKind,
  type MachineRecord,
} from "./machine-record.ts";
import { endProcess, identify, identifySelf, isAlive, type ProcessIdentity } from "./process-identity.ts";
import { prepareRootFileSystem } from "./root-file-system.ts";
import { runCommand, type CommandResult } from "./run-command.ts";
import { waitUntil } from "./wait-until.ts";

/** A machine of the lab: own file system, processes, network, sshd and (by kind) Docker engine. */
export interface Vps {
  readonly name: string;
  readonly kind: MachineKind;
  /** 10.77.N.2; answers from this host and from the other machines. */
  readonly address: string;
  readonly sshPort: number;
  /** `ssh-ed25519 AAAA…`, to be pinned. */
  readonly hostPublicKey: string;
  /** Private key that root and `deploy` accept. */
  readonly identityFile: string;
  readonly user: string;
  /** Runs a shell command inside as root, by way of the kernel and not of ssh; any exit code is a result. */
  exec(command: string, options?: { stdin?: string; timeoutMs?: number }): Promise<CommandResult>;
  /** All its processes die at once; its disk stays. (What was not yet synced survives here, unlike for real.) */
  powerLoss(): Promise<void>;
  /** Power on, after {@link powerLoss}; done when sshd and the engine answer. */
  boot(): Promise<void>;
  /** From now on every packet from and to it is lost, without a word; {@link exec} still works. */
  cutNetwork(): Promise<void>;
  restoreNetwork(): Promise<void>;
  /** Removes it with its disk. */
  destroy(): Promise<void>;
}

export interface VpsOptions {
  /** Letters, digits and dashes; also its host name. */
  readonly name: string;
  readonly kind: MachineKind;
  /** It outlives this process, and `destroyLeftovers` spares it. @default false */
  readonly keep?: boolean;
  /**
   * Images that its engine has pulled already, as from the lab's registry, which must be running.
   * The first call with these images pulls them, later ones copy what that left. @default []
   */
  readonly pulled?: readonly string[];
}

const sshPort = 22;

const speaksSsh = (address: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port: sshPort });
    const settle = (answer: boolean) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, settle(false));
    socket.on("error", settle(false));
    // Hung up on without a word: no time-out comes any more.
    socket.on("close", settle(false));
    socket.on("data", (data: Buffer) => {
      settle(data.toString("latin1").startsWith("SSH-"))();
    });
  });

const engineAnswers = (init: ProcessIdentity): Promise<boolean> =>
  new Promise((resolve) => {
    const socketPath = `/proc/${init.pid}/root/run/docker.sock`;
    const ping = request({ socketPath, path: "/_ping", timeout: 1_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    ping.on("timeout", () => ping.destroy());
    ping.on("error", () => {
      resolve(false);
    });
    ping.end();
  });

/** Starts the machine's PID 1, detached from this process, and says which it is. */
const startInit = async ({ name, rootFileSystem }: MachineRecord): Promise<ProcessIdentity> => {
  const folder = machineFolder(name);
  const pidFile = join(folder, "init.pid");
  await rm(pidFile, { force: true });
  const console = await open(join(folder, "console.log"), "a");
  const enter = ["--net=/run/netns/" + namespaceOf(name), "unshare", "--mount", "--pid", "--uts", "--ipc", "--fork"];
  const boot = ["bash", join(sourceFolder, "machine-boot.sh"), folder, rootFileSystem, name];
  const child = spawn("nsenter", [...enter, ...boot], { detached: true, stdio: ["ignore", console.fd, console.fd] });
  child.unref();
  await console.close();
  return waitUntil(`machine ${name} has a PID 1`, async () => identify(Number(await readFile(pidFile, "utf8"))));
};

const waitUntilReady = async ({ name, kind, subnet }: MachineRecord, init: ProcessIdentity): Promise<void> => {
  const answers = async (): Promise<boolean> => {
    if (!isAlive(init)) return true; // told apart below: waiting longer would be no use
    return (await speaksSsh(addressOf(subnet))) && (kind === "bare" || (await engineAnswers(init)));
  };
  await waitUntil(`machine ${name} answers`, answers, { deadlineMs: 60_000 });
  if (isAlive(init)) return;
  throw new Error(`machine ${name} died:\n${await readFile(join(machineFolder(name), "console.log"), "utf8")}`);
};

class LabMachine implements Vps {
  readonly sshPort = sshPort;
  readonly user = "root";
  readonly name: string;
  readonly kind: MachineKind;
  readonly address: string;
  readonly identityFile: string;
  readonly hostPublicKey: string;
  #record: MachineRecord;

  constructor(record: MachineRecord, hostPublicKey: string) {
    this.#record = record;
    this.name = record.name;
    this.kind = record.kind;
    this.address = addressOf(record.subnet);
    this.identityFile = identityFileOf(record.name);
    this.hostPublicKey = hostPublicKey;
  }

  async exec(command: string, options: { stdin?: string; timeoutMs?: number } = {}): Promise<CommandResult> {
    const { init } = this.#record;
    if (init === undefined || !isAlive(init)) throw new Error(`machine ${this.name} has no power`);
    const enter = ["--target", String(init.pid), "--mount", "--uts", "--ipc", "--net", "--pid"];
    const env = {
      HOME: "/root",
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LANG: "C.UTF-8",
    };
    return runCommand("nsenter", [...enter, "bash", "-c", `cd /root\n${command}`], { ...options, env });
  }

  async powerLoss(): Promise<void> {
    // The kernel kills all else in the pid namespace before its PID 1 is gone.
    if (this.#record.init !== undefined) await endProcess(this.#record.init, "SIGKILL");
    await unplugNetwork(this.#record);
    await this.#setInit(undefined);
  }

  async boot(): Promise<void> {
    if (this.#record.init !== undefined && isAlive(this.#record.init))
      throw new Error(`machine ${this.name} is running`);
    await unplugNetwork(this.#record);
    await connectNetwork(this.#record);
    const init = await startInit(this.#record);
    await this.#setInit(init);
    await waitUntilReady(this.#record, init);
  }

  cutNetwork(): Promise<void> {
    return cutNetwork(this.#record);
  }

  restoreNetwork(): Promise<void> {
    return restoreNetwork(this.#record);
  }

  destroy(): Promise<void> {
    return withLabLock("machines", () => destroyMachine(this.#record));
  }

  async #setInit(init: ProcessIdentity | undefined): Promise<void> {
    this.#record = { ...this.#record, init };
    await writeRecord(this.#record);
  }
}

/** The PID 1 that the boot script noted, in case its starter died before the record was written. */
const notedInit = async (name: string): Promise<ProcessIdentity | undefined> => {
  const pid = Number(await readFile(join(machineFolder(name), "init.pid"), "utf8").catch(() => ""));
  const identity = pid > 0 ? identify(pid) : undefined;
  if (identity === undefined) return undefined;
  const commandLine = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
  return commandLine.includes(`IKOMA_LAB_MACHINE=${name}\0`) ? identity : undefined;
};

/** Removes a machine in whatever state a crash left it; for who holds the lock `machines`. */
export const destroyMachine = async (record: MachineRecord): Promise<void> => {
  const init = record.init ?? (await notedInit(record.name));
  if (init !== undefined) await endProcess(init, "SIGKILL");
  await removeNetwork(record);
  await removeControlGroups(record.name);
  await rm(machineFolder(record.name), { recursive: true, force: true });
  await releaseSubnet(record.subnet);
  if ((await listSubnetClaims()).length === 0) await removeLostRoute();
};

/** Has a machine pull the images, and keeps what its engine made of them. Returns the folder. */
const prepareEngine = async (kind: MachineKind, rootFileSystem: string, pulled: readonly string[]): Promise<string> => {
  const folder = await preparedEngineFolder(rootFileSystem, pulled);
  if (await hasPreparedEngine(folder)) return folder;
  const template = await createVps({ name: `prepare-${process.pid}`, kind });
  try {
    for (const reference of pulled) {
      const { code, stderr } = await template.exec(`docker pull -q '${reference}'`, { timeoutMs: 300_000 });
      if (code !== 0) throw new Error(`${reference} could not be pulled on a lab machine:\n${stderr}`);
    }
    await template.exec("service docker stop"); // its databases closed
    await template.powerLoss();
    await saveEngine(template.name, folder);
  } finally {
    await template.destroy();
  }
  return folder;
};

/** Makes a machine and starts it; done when its sshd (and engine) answer. Needs root. */
export const createVps = async ({ name, kind, keep = false, pulled = [] }: VpsOptions): Promise<Vps> => {
  if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(name)) throw new Error(`"${name}" is no host name`);
  const rootFileSystem = await withLabLock("root", () => prepareRootFileSystem(kind));
  const engine =
    pulled.length > 0 ? await withLabLock("engine", () => prepareEngine(kind, rootFileSystem, pulled)) : undefined;
  const record = await withLabLock("machines", async () => {
    await claimName(name);
    const subnet = await claimSubnet(name);
    const claimed: MachineRecord = { name, kind, subnet, rootFileSystem, owner: identifySelf(), keep };
    await writeRecord(claimed);
    return claimed;
  });
  try {
    await makeDisk(name);
    if (engine !== undefined) await restoreEngine(name, engine);
    const machine = new LabMachine(record, await readHostPublicKey(name));
    await machine.boot();
    return machine;
  } catch (error) {
    await withLabLock("machines", async () => destroyMachine((await readRecord(name)) ?? record));
    throw error;
  }
};

/** A machine that exists, made by this or another process. `undefined` when there is none of that name. */
export const openVps = async (name: string): Promise<Vps | undefined> => {
  const record = await readRecord(name);
  return record && new LabMachine(record, await readHostPublicKey(name));
};
