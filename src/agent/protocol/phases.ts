/** Steps of `release.apply`, in order. The journal holds the last one that was entered. */
export const releasePhases = [
  "accepted",
  "network",
  "starting",
  "yielding",
  "gating",
  "smoking",
  "shifting",
  "rolling",
  "switching",
  "baking",
  "switched",
  "draining",
  "stopping",
] as const;
export type ReleasePhase = (typeof releasePhases)[number];

/** Those of {@link releasePhases} that not every release goes through, and which do. */
export const occasionalPhases: Readonly<Partial<Record<ReleasePhase, string>>> = {
  yielding: "something of the release before must not run beside it (`overlap: false`, `strategy: replace`)",
  shifting: "it gets the requests step by step (`strategy: canary`)",
  rolling: "its replicas take the place of the old ones one after another (`strategy: rolling`)",
};
/** Steps of the operations on backups that may take long; as with those of a release, the journal holds the last one. */
export const backupPhases = ["dumping", "recording", "verifying", "restoring", "swapping"] as const;
