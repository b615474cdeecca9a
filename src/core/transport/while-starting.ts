import { setTimeout as sleep } from "node:timers/promises";

/** So long after its start an agent may not listen yet. */
export const startingMs = 3_000;
const pauseMs = 100;

/**
 * Repeats what fails because the agent is only just starting, or takes over from another, for as long as that may last.
 *
 * @throws what the last attempt did, or `isStarting`
 */
export async function whileStarting<T>(
  attempt: () => Promise<T>,
  isStarting: (error: unknown) => boolean | Promise<boolean>,
): Promise<T> {
  const giveUpAtMs = Date.now() + startingMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(await isStarting(error)) || Date.now() > giveUpAtMs) throw error;
    }
    await sleep(pauseMs);
  }
}
