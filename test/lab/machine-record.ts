import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { machinesFolder, subnetsFolder } from "./lab-folders.ts";
import { processIdentitySchema } from "./process-identity.ts";

/** What is installed on a machine: an engine, nothing, or an engine with Debian's compose v1. */
export const machineKindSchema = z.enum(["docker", "bare", "compose-v1"]);
export type MachineKind = z.infer<typeof machineKindSchema>;

/** What a later process must know to use or remove a machine. */
export const machineRecordSchema = z.strictObject({
  name: z.string(),
  kind: machineKindSchema,
  /** N of 10.77.N.0/24. */
  subnet: z.int().min(1).max(250),
  rootFileSystem: z.string(),
  /** The process that made it; when that is dead, the machine is a leftover. */
  owner: processIdentitySchema,
  /** Made to outlive its owner. */
  keep: z.boolean(),
  /** Its PID 1, seen from outside; absent while it has no power. */
  init: processIdentitySchema.or(z.undefined()).optional(),
});
export type MachineRecord = z.infer<typeof machineRecordSchema>;

export const machineFolder = (name: string): string => join(machinesFolder, name);

const recordFile = (name: string): string => join(machineFolder(name), "machine.json");

export const writeRecord = async (record: MachineRecord): Promise<void> => {
  const file = recordFile(record.name);
  await writeFile(`${file}.new`, JSON.stringify(record, undefined, 2));
  await rename(`${file}.new`, file);
};

/** `undefined` when there is no such machine, or only what a crash left of its making. */
export const readRecord = async (name: string): Promise<MachineRecord | undefined> => {
  let text: string;
  try {
    text = await readFile(recordFile(name), "utf8");
  } catch {
    return undefined;
  }
  return machineRecordSchema.parse(JSON.parse(text));
};

export const listMachineNames = async (): Promise<string[]> => {
  await mkdir(machinesFolder, { recursive: true });
  return readdir(machinesFolder);
};

// No instanceof: under jest, Node's own errors are of another realm.
const isTaken = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "code" in error && error.code === "EEXIST";

/** Reserves the machine's folder. Fails when a machine of that name exists. */
export const claimName = async (name: string): Promise<void> => {
  await mkdir(machinesFolder, { recursive: true });
  try {
    await mkdir(machineFolder(name));
  } catch (error) {
    if (!isTaken(error)) throw error;
    throw new Error(`a lab machine "${name}" exists already: openVps("${name}"), or destroyLeftovers()`, {
      cause: error,
    });
  }
};

/** Reserves the lowest free subnet number for a machine. */
export const claimSubnet = async (name: string): Promise<number> => {
  await mkdir(subnetsFolder, { recursive: true });
  for (let subnet = 1; subnet <= 250; subnet += 1) {
    try {
      const file = await open(join(subnetsFolder, String(subnet)), "wx");
      await file.writeFile(name);
      await file.close();
      return subnet;
    } catch (error) {
      if (!isTaken(error)) throw error;
    }
  }
  throw new Error("all 250 subnets of the lab are taken");
};

/** Subnet numbers in use, with the name of their machine. */
export const listSubnetClaims = async (): Promise<{ subnet: number; name: string }[]> => {
  await mkdir(subnetsFolder, { recursive: true });
  const files = await readdir(subnetsFolder);
  return Promise.all(
    files.map(async (file) => ({ subnet: Number(file), name: await readFile(join(subnetsFolder, file), "utf8") })),
  );
};

export const releaseSubnet = (subnet: number): Promise<void> =>
  rm(join(subnetsFolder, String(subnet)), { force: true });
