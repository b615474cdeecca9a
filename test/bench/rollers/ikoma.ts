import type { BenchStand } from "../parts/bench-stand.ts";
import type { BundlePair } from "../parts/command-times.ts";
import { alternating, type Roller } from "./roller.ts";

/** `ikoma deploy apply`, of the bundle that does not serve. */
export async function ikomaRoller(stand: BenchStand, { v1, v2 }: BundlePair): Promise<Roller> {
  await stand.deploy(v1);
  const next = alternating(v1, v2);
  return {
    name: "ikoma",
    url: stand.url,
    domain: stand.domain,
    change: async () => (await stand.deploy(next())).tookMs,
  };
}
