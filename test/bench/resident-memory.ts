import type { Vps } from "../lab/index.ts";

/** Memory that agent and edge hold, all their processes together, in MiB (2²⁰ bytes). */
export interface ResidentMemory {
  readonly agentMiB: number;
  readonly edgeMiB: number;
  readonly totalMiB: number;
}

/** Sums `VmRSS` over the processes of the two containers; pages that processes share count for each of them. */
export async function residentMemory(vps: Vps): Promise<ResidentMemory> {
  const [agentMiB, edgeMiB] = [await ofContainer(vps, "ikoma-agent"), await ofContainer(vps, "ikoma-edge")];
  return { agentMiB, edgeMiB, totalMiB: agentMiB + edgeMiB };
}

async function ofContainer(vps: Vps, name: string): Promise<number> {
  const script = `for pid in $(docker top ${name} -eo pid | tail -n +2); do grep VmRSS /proc/$pid/status; done`;
  const { stdout } = await vps.exec(script);
  const sizes = [...stdout.matchAll(/(\d+) kB/g)].map(([, kib]) => Number(kib));
  if (sizes.length === 0) throw new Error(`${name} has no process`);
  return sizes.reduce((sum, kib) => sum + kib, 0) / 1024;
}
