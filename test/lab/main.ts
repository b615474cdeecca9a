// The lab by hand: machines that stay until they are taken down.
import process from "node:process";
import { destroyLeftovers } from "./leftovers.ts";
import { listMachineNames, machineKindSchema, readRecord } from "./machine-record.ts";
import { isAlive } from "./process-identity.ts";
import { destroyRegistry, readRegistryRecord, startRegistry } from "./registry.ts";
import { registryAddress } from "./registry-address.ts";
import { createVps, openVps, type Vps } from "./vps.ts";

const usage = `Usage: node test/lab/main.ts COMMAND
  up [NAME [KIND]]   the registry, and a machine (vps1; docker, bare or compose-v1); both stay
  down [NAME]        that machine; without a name all kept machines, the registry and leftovers
  status             what there is`;

const describe = (vps: Vps): string =>
  [
    `${vps.name}  ${vps.kind}  ${vps.address}`,
    `  ssh -i ${vps.identityFile} -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes \\`,
    `    -o UserKnownHostsFile=<(echo '${vps.address} ${vps.hostPublicKey}') ${vps.user}@${vps.address}`,
  ].join("\n");

const up = async (name = "vps1", kind = "docker"): Promise<void> => {
  const registry = await startRegistry({ keep: true });
  console.log(`registry  ${registry.address}`);
  const vps = (await openVps(name)) ?? (await createVps({ name, kind: machineKindSchema.parse(kind), keep: true }));
  console.log(describe(vps));
};

const down = async (name?: string): Promise<void> => {
  const names = name === undefined ? await listMachineNames() : [name];
  for (const each of names) {
    const record = await readRecord(each);
    // Machines of a test that is running are not ours to take.
    if (record === undefined || (name === undefined && !record.keep)) continue;
    await (await openVps(each))?.destroy();
    console.log(`${each} is gone`);
  }
  if (name !== undefined) return;
  const registry = await readRegistryRecord();
  if (registry?.keep === true) await destroyRegistry();
  for (const leftover of await destroyLeftovers()) console.log(`${leftover} (a leftover) is gone`);
};

const status = async (): Promise<void> => {
  const registry = await readRegistryRecord();
  console.log(`registry  ${registry !== undefined && isAlive(registry.server) ? registryAddress : "not running"}`);
  for (const name of await listMachineNames()) {
    const [record, vps] = [await readRecord(name), await openVps(name)];
    if (record === undefined || vps === undefined) continue;
    const power = record.init !== undefined && isAlive(record.init) ? "on" : "off";
    const owner = record.keep ? "kept" : isAlive(record.owner) ? `of process ${record.owner.pid}` : "leftover";
    console.log(`${describe(vps)}\n  power ${power}, ${owner}`);
  }
};

const [command, ...args] = process.argv.slice(2);
switch (command) {
  case "up":
    await up(...args);
    break;
  case "down":
    await down(args[0]);
    break;
  case "status":
    await status();
    break;
  case undefined:
  default:
    console.error(usage);
    process.exitCode = 2;
}
