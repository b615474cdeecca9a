import type { SupabaseRun } from "../../src/core/services/supabase/supabase-mode.ts";

/** A run that waits for nothing, and remembers what it was told and how long it would have waited. */
export interface WatchedRun extends SupabaseRun {
  readonly told: string[];
  readonly pausesMs: number[];
}

export function supabaseRun(secrets: Readonly<Record<string, string>>, more: Partial<SupabaseRun> = {}): WatchedRun {
  const told: string[] = [];
  const pausesMs: number[] = [];
  let nowMs = 0;
  return {
    app: "shop",
    secrets,
    signal: new AbortController().signal,
    patience: { answerMs: 5_000, retries: 3, comingUpMs: 600_000 },
    now: () => nowMs,
    pause: (ms) => {
      pausesMs.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
    tell: (message) => void told.push(message),
    agent: () => Promise.reject(new Error("no host is asked")),
    told,
    pausesMs,
    ...more,
  };
}

/** A key of the older kind, signed by nobody. */
export function tokenWith(claims: Readonly<Record<string, unknown>>): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return [part({ alg: "HS256", typ: "JWT" }), part(claims), "c2lnbmF0dXJl"].join(".");
}
