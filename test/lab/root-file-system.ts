import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { preparedFolder } from "./lab-folders.ts";
import { listMachineNames, readRecord, type MachineKind } from "./machine-record.ts";
import { runChecked, runCommand } from "./run-command.ts";

const removeUnused = async (kind: MachineKind, current: string): Promise<void> => {
  const records = await Promise.all((await listMachineNames()).map(readRecord));
  const used = new Set(records.map((record) => record?.rootFileSystem));
  for (const entry of await readdir(preparedFolder)) {
    const folder = join(preparedFolder, entry);
    const isOld = entry.startsWith(`root-${kind}-`) && !entry.includes(".partial");
    if (isOld && folder !== current && !used.has(folder)) await rm(folder, { recursive: true, force: true });
  }
};

/**
 * The folder with the root file system of such a machine; machines lay their own changes over it
 * and never write to it. Unpacked from the image `ikoma/lab-vps:<kind>` the first time.
 */
export const prepareRootFileSystem = async (kind: MachineKind): Promise<string> => {
  const image = `ikoma/lab-vps:${kind}`;
  const { code, stdout, stderr } = await runCommand("docker", ["image", "inspect", "--format", "{{.Id}}", image]);
  if (code !== 0) throw new Error(`image ${image} is missing: run scripts/setup\n${stderr}`);
  const id = stdout.trim().replace("sha256:", "").slice(0, 12);
  const folder = join(preparedFolder, `root-${kind}-${id}`);
  await mkdir(preparedFolder, { recursive: true });
  if ((await readdir(preparedFolder)).includes(`root-${kind}-${id}`)) return folder;

  const partial = `${folder}.partial-${performance.timeOrigin}`;
  await mkdir(partial);
  const container = (await runChecked("docker", ["create", image, "true"])).trim();
  try {
    const unpack = 'set -o pipefail; docker export "$1" | tar --extract --numeric-owner --directory "$2"';
    await runChecked("bash", ["-c", unpack, "unpack", container, partial]);
    await rm(join(partial, ".dockerenv"), { force: true }); // a machine is not a container
    await rename(partial, folder);
  } finally {
    await runChecked("docker", ["rm", container]);
    await rm(partial, { recursive: true, force: true });
  }
  await removeUnused(kind, folder);
  return folder;
};
