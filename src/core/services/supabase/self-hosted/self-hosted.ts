import { createHash } from "node:crypto";
import type { Result } from "../../../../agent/protocol/methods.ts";
import { IkomaError } from "../../../errors.ts";
import type { SupabaseDifference, SupabaseMode, SupabaseRun } from "../supabase-mode.ts";
import type { SelfHostedSupabase } from "./self-hosted-settings.ts";

type Observed = Result<"supabase.read">;

const pollMs = 500;
/** A first start makes its schemas; the stack's own health checks give the slowest part about as long. */
const patienceMs = 120_000;

/**
 * The official stack on the app's own host. What brings it there are the app's accessories and release; here all its
 * parts are asked, on the host and through its gateway, until they answer well.
 */
export const selfHosted: SupabaseMode<SelfHostedSupabase, Observed> = {
  observe: ask,

  plan: (_settings, { parts }) => problemsOf(parts),

  refusal: () => undefined,

  async apply(settings, _observed, differences, run) {
    run.tell("waiting until all parts answer");
    const deadline = run.now() + patienceMs;
    for (let left = differences; left.length > 0; left = problemsOf((await ask(settings, run)).parts)) {
      if (run.now() >= deadline) throw unhealthy(run.app, left);
      await run.pause(pollMs);
    }
  },

  facts: () => ({}),
};

async function ask({ parts }: SelfHostedSupabase, run: SupabaseRun): Promise<Observed> {
  const { app, secrets } = run;
  const hashes = Object.entries(secrets).map(([name, value]) => [name, sha256(value)] as const);
  const anonKey = secrets["ANON_KEY"] ?? "";
  return (await run.agent()).call("supabase.read", { app, parts, anonKey, secrets: Object.fromEntries(hashes) });
}

function problemsOf(parts: Observed["parts"]): SupabaseDifference[] {
  return Object.entries(parts).flatMap(([part, { service, problem }]) =>
    problem === undefined ? [] : [{ path: ["parts", part] as const, message: `${service}: ${problem}` }],
  );
}

function unhealthy(app: string, problems: readonly SupabaseDifference[]): IkomaError {
  const told = problems.map(({ message }) => message).join("; ");
  return new IkomaError("SUPABASE_UNHEALTHY", `The Supabase of ${app} does not come up: ${told}.`, {
    details: { parts: problems.map(({ path }) => path[1]) },
  });
}

function sha256(value: string): string {
  return createHash("sha256").update(value).digest("hex");
}
