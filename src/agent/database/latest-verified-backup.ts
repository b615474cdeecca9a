import type { Host } from "../host.ts";

/** A backup of a database that was restored and compared. */
export interface VerifiedBackup {
  /** Unix time in ms of the data in it. */
  readonly takenAtMs: number;
}

/** The newest backup of an app's database that was verified; undefined where there is none. */
export const latestVerifiedBackup: (
  host: Host,
  app: string,
  service: string,
) => Promise<VerifiedBackup | undefined> = () => Promise.resolve(undefined);
