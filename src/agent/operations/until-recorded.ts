import { setTimeout as sleep } from "node:timers/promises";
import type { Host } from "../host.ts";

const retryMs = 1000;

/**
 * Writes down how something ended, at once, or as soon as the disk takes it: an end that is not on disk has not happened.
 * Never rejects.
 */
export async function untilRecorded(host: Pick<Host, "log">, key: string, record: () => void): Promise<void> {
  for (;;) {
    try {
      record();
      return;
    } catch (error) {
      host.log.error({ key, reason: String(error) }, "the end of an operation could not be written down; trying again");
      await sleep(retryMs);
    }
  }
}
