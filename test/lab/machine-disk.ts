import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { registryAddress } from "./registry-address.ts";
import { machineFolder } from "./machine-record.ts";
import { runChecked } from "./run-command.ts";

/** The uid of `deploy`, the user without root's rights on each machine. */
const deployUid = 1000;

export const identityFileOf = (name: string): string => join(machineFolder(name), "id_ed25519");

const hostKeyFile = "etc/ssh/ssh_host_ed25519_key";

const changesFolder = (name: string): string => join(machineFolder(name), "changes");

/** The machine's host key, `ssh-ed25519 AAAA…`. */
export const readHostPublicKey = async (name: string): Promise<string> => {
  const text = await readFile(join(changesFolder(name), `${hostKeyFile}.pub`), "utf8");
  return text.split(" ").slice(0, 2).join(" ").trim();
};

/** A resolver on loopback (systemd-resolved) cannot be reached from a machine: take the one behind it. */
const readResolvers = async (): Promise<string> => {
  const text = await readFile("/etc/resolv.conf", "utf8");
  return text.includes("nameserver 127.") ? readFile("/run/systemd/resolve/resolv.conf", "utf8") : text;
};

const makeKey = (file: string, comment: string): Promise<string> =>
  runChecked("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", file]);

const authoriseKey = async (home: string, key: string, uid: number): Promise<void> => {
  const folder = join(home, ".ssh");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "authorized_keys"), key, { mode: 0o600 });
  for (const path of [home, folder, join(folder, "authorized_keys")]) await chown(path, uid, uid);
  await chmod(home, 0o700);
  await chmod(folder, 0o700);
};

const engineSettings = (name: string): object => ({
  "insecure-registries": [registryAddress],
  "registry-mirrors": [`http://${registryAddress}`],
  // Its control groups are removed with the machine.
  "cgroup-parent": cgroupOf(name),
});

/** The parent of the control groups of the machine's containers. */
export const cgroupOf = (name: string): string => `/ikoma-lab-${name}`;

/** Makes the disk of a new machine: empty but for its name, keys, resolver and engine settings. */
export const makeDisk = async (name: string): Promise<void> => {
  const folder = machineFolder(name);
  const changes = changesFolder(name);
  for (const part of ["root", "disk", "overlay-work", "changes"]) await mkdir(join(folder, part));

  const files = {
    "etc/hostname": `${name}\n`,
    "etc/hosts": `127.0.0.1 localhost\n127.0.1.1 ${name}\n`,
    "etc/resolv.conf": await readResolvers(),
    "etc/docker/daemon.json": JSON.stringify(engineSettings(name), undefined, 2),
  };
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(changes, path)), { recursive: true });
    await writeFile(join(changes, path), content);
  }

  await mkdir(join(changes, "etc/ssh"), { recursive: true });
  await makeKey(join(changes, hostKeyFile), name);
  await makeKey(identityFileOf(name), "lab");
  const key = await readFile(`${identityFileOf(name)}.pub`, "utf8");
  await authoriseKey(join(changes, "root"), key, 0);
  await authoriseKey(join(changes, "home/deploy"), key, deployUid);
};
