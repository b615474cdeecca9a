/** How far from what it should be a figure of a load generator may be. */
export const tolerances = { ratePercent: 1, p50Ms: 2, p99Ms: 5 };
