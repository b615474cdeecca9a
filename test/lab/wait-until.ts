import { setTimeout as delay } from "node:timers/promises";

/**
 * Asks every `intervalMs` until `condition` gives something other than `undefined` or `false`.
 * Fails after `deadlineMs`, naming `what`, with the last error if there was one.
 */
export const waitUntil = async <T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  { deadlineMs = 20_000, intervalMs = 20 } = {},
): Promise<T> => {
  const end = performance.now() + deadlineMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await condition();
      if (answer !== undefined && answer !== false) return answer;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= end) throw new Error(`${what}: not so after ${deadlineMs} ms`, { cause });
    await delay(intervalMs);
  }
};
