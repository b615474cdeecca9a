import type { Roller } from "../rollers/roller.ts";
import type { Spread } from "../report/benchmark-report.ts";
import { spreadOf } from "../report/spread.ts";
import type { BenchStand, TimedCommand } from "./bench-stand.ts";

/** Bundles of two versions that differ in nothing but their name. */
export interface BundlePair {
  readonly v1: string;
  readonly v2: string;
}

/** Of whole processes, in ms, without load, by what they do; and the peers' way to make the same change. */
export async function timeCommands(
  stand: BenchStand,
  { v1, v2 }: BundlePair,
  peers: readonly Roller[],
  runs: number,
): Promise<Record<string, Spread>> {
  await stand.deploy(v1);
  const timed: Readonly<Record<string, () => Promise<TimedCommand>>> = {
    deploy: () => stand.deploy(v2),
    "nothing changed": () => stand.onStack("deploy", "apply", "--yes"),
    "ikoma drift": () => stand.onStack("drift"),
    rollback: () => stand.onStack("deploy", "rollback", "--yes", "--to", "v1"),
    "ikoma status": () => stand.onStack("status"),
    "ikoma --version": () => stand.ikoma(0, "--version"),
  };
  const samples = new Map<string, number[]>();
  const add = (name: string, ms: number): void => void samples.set(name, [...(samples.get(name) ?? []), ms]);
  for (let run = 0; run < runs; run += 1) {
    // In turns, so that a busy moment of the machine does not hit one of them alone.
    for (const [name, command] of Object.entries(timed)) add(name, (await command()).tookMs);
    for (const peer of peers) add(`deploy by ${peer.name}`, await peer.change());
  }
  return Object.fromEntries([...samples].map(([name, all]) => [name, spreadOf(all)]));
}
