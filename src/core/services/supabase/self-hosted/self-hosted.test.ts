import type { Result } from "../../../../agent/protocol/methods.ts";
import { ensureSupabase, readSupabase } from "../ensure-supabase.ts";
import type { SupabaseRun } from "../supabase-mode.ts";
import type { SelfHostedSupabase } from "./self-hosted-settings.ts";

const parts = { gateway: "api-gw", auth: "auth" };
const settings: SelfHostedSupabase = { mode: "self-hosted", parts, release: "sha256:1" };
const gateway = { service: "api-gw", state: "running" };
const well = { service: "auth", state: "running" };
const ill = { ...well, problem: "/auth/v1/health is not answered well through the gateway: status 503" };

/** A run whose agent takes a second and sees Auth like this, one after another; the last stays. */
function runWith(...seen: Result<"supabase.read">["parts"][string][]): { run: SupabaseRun; asked: unknown[] } {
  const asked: unknown[] = [];
  let pausedMs = 0;
  const call = (_method: string, params: unknown): Promise<unknown> => {
    asked.push(params);
    return Promise.resolve({ parts: { gateway, auth: seen[Math.min(asked.length, seen.length) - 1] } });
  };
  const run = {
    app: "backend",
    secrets: { ANON_KEY: "the key", JWT_SECRET: "abc" },
    signal: new AbortController().signal,
    patience: { answerMs: 1, retries: 0, comingUpMs: 0 },
    pause: (ms: number) => Promise.resolve((pausedMs += ms)),
    now: () => pausedMs + asked.length * 1000,
    tell: () => undefined,
    agent: () => Promise.resolve({ call }),
  };
  return { run: run as unknown as SupabaseRun, asked };
}

test("a part that does not answer is a difference; what is well is none", async () => {
  expect((await readSupabase(settings, runWith(ill).run)).differences).toEqual([
    { path: ["parts", "auth"], message: `auth: ${ill.problem}` },
  ]);
  expect((await readSupabase(settings, runWith(well).run)).differences).toEqual([]);
});

test("the agent gets the anon key to ask with, and of other secrets their hashes", async () => {
  const { run, asked } = runWith(well);
  await readSupabase(settings, run);
  expect(asked).toEqual([
    {
      app: "backend",
      parts,
      anonKey: "the key",
      secrets: {
        ANON_KEY: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        JWT_SECRET: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      },
    },
  ]);
});

test("after a change it is waited for until all parts answer", async () => {
  const { run, asked } = runWith(ill, ill, ill, well);
  expect(await ensureSupabase(settings, run)).toEqual({});
  expect(asked).toHaveLength(5);
});

test("a part that never answers is named, after two minutes with the time that asking takes", async () => {
  const { run, asked } = runWith(ill);
  await expect(ensureSupabase(settings, run)).rejects.toMatchObject({
    code: "SUPABASE_UNHEALTHY",
    message: expect.stringContaining(
      "auth: /auth/v1/health is not answered well through the gateway: status 503",
    ) as string,
    details: { parts: ["auth"] },
  });
  expect(asked).toHaveLength(81);
});
