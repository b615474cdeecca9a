import { rm } from "node:fs/promises";
import { withLabLock } from "./lab-lock.ts";
import { removeLostRoute, removeStrayNetworks } from "./machine-network.ts";
import { listMachineNames, listSubnetClaims, machineFolder, readRecord, releaseSubnet } from "./machine-record.ts";
import { isAlive } from "./process-identity.ts";
import { destroyRegistry, readRegistryRecord } from "./registry.ts";
import { destroyMachine } from "./vps.ts";

/**
 * Removes what a test run that died left behind: machines and a registry whose maker no longer
 * lives and that were not made to stay, and namespaces, firewall rules and subnet numbers of no machine.
 * Returns the names of the machines it removed. Touches nothing that the lab did not make.
 */
export const destroyLeftovers = (): Promise<string[]> => withLabLock("machines", removeLeftovers);

const removeLeftovers = async (): Promise<string[]> => {
  const removed: string[] = [];
  for (const name of await listMachineNames()) {
    const record = await readRecord(name);
    if (record !== undefined && (record.keep || isAlive(record.owner))) continue;
    // Without a record it died while being made: nothing was started yet.
    if (record === undefined) await rm(machineFolder(name), { recursive: true, force: true });
    else await destroyMachine(record);
    removed.push(name);
  }
  const existing = new Set(await listMachineNames());
  await removeStrayNetworks(existing);
  for (const { subnet, name } of await listSubnetClaims()) {
    if (!existing.has(name)) await releaseSubnet(subnet);
  }
  if (existing.size === 0) await removeLostRoute();
  const registry = await readRegistryRecord();
  const registryInUse =
    registry !== undefined && isAlive(registry.server) && (registry.keep || isAlive(registry.owner));
  if (!registryInUse) await destroyRegistry();
  return removed;
};
