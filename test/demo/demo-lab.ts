import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createVps, destroyLeftovers, openVps, pushToRegistry, startRegistry, type Vps } from "../lab/index.ts";
import { readRecord } from "../lab/machine-record.ts";
import { identifySelf, isAlive } from "../lab/process-identity.ts";
import { destroyRegistry, readRegistryRecord } from "../lab/registry.ts";
import { demoFolder, machineName, projectFolder, registryMark } from "./demo-folder.ts";

/** What stands in for the user's server and registry. */
export interface DemoLab {
  readonly vps: Vps;
  /** `host:port` */
  readonly registry: string;
}

/** Images of agent and edge in the registry, by digest. */
export interface HostImages {
  readonly agent: string;
  readonly edge: string;
}

/** Removes what a run that died left; throws while another demo runs. */
export async function refuseSecondDemo(): Promise<void> {
  await destroyLeftovers();
  const other = await readRecord(machineName);
  if (other !== undefined && isAlive(other.owner))
    throw new Error(`another demo is running (process ${other.owner.pid})`);
}

/** Removes an earlier demo that was kept, but for its registry. */
export async function clearEarlierDemo(): Promise<void> {
  await (await openVps(machineName))?.destroy();
  await rm(projectFolder, { recursive: true, force: true });
}

/** What the server's engine has pulled for other apps before: the largest layers, so that a run is not mostly unpacking. */
const pulledBefore = ["node:24-bookworm-slim", "postgres:15"];

/** Starts the registry, or joins the one that runs, and a fresh server. */
export async function bringUpLab(keep: boolean): Promise<DemoLab> {
  await mkdir(demoFolder, { recursive: true, mode: 0o700 });
  const { address } = await startRegistry({ keep });
  const record = await readRegistryRecord();
  if (record?.owner.pid === identifySelf().pid) await writeFile(registryMark, JSON.stringify(record.server));
  const vps = await createVps({ name: machineName, kind: "docker", keep, pulled: pulledBefore });
  return { vps, registry: address };
}

/** Puts agent and edge into the registry, for the server to pull. */
export async function pushHostImages(version: string): Promise<HostImages> {
  const push = (name: string): Promise<string> =>
    pushToRegistry(`ikoma/${name}:${version}`, `ikoma/${name}:${version}`);
  return { agent: await push("agent"), edge: await push("edge") };
}

/** Removes the server, the project, and the registry if a demo started it. Nothing there is not an error. */
export async function takeDownLab(): Promise<void> {
  await (await openVps(machineName))?.destroy();
  const marked = await readFile(registryMark, "utf8").catch(() => undefined);
  const record = await readRegistryRecord();
  if (record !== undefined && marked === JSON.stringify(record.server)) await destroyRegistry();
  await rm(demoFolder, { recursive: true, force: true });
}
