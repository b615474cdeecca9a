const firstRetryMs = 5 * 60_000;
const longestRetryMs = 60 * 60_000;

/** So late something may be before somebody should look: a large database takes its time. In ms. */
export const graceMs = 60 * 60_000;

/** How long to wait after the last of so many failures in a row: 5, 10, 20… at most 60 minutes. In ms. */
export function retryPauseMs(failures: number): number {
  return Math.min(longestRetryMs, firstRetryMs * 2 ** (failures - 1));
}
