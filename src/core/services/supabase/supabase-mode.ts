import type { IkomaError } from "../../errors.ts";
import type { AgentClient } from "../../transport/agent-client.ts";

/** What the work on one app's Supabase may use. */
export interface SupabaseRun {
  /** Name of the app. */
  readonly app: string;
  /** Values of the secrets that the settings name, by their names in `ikoma:secrets`. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Ref of the project that the same settings meant before: it stays meant when it is given another name. */
  readonly known?: string | undefined;
  /** Raised when the run is cancelled. */
  readonly signal: AbortSignal;
  readonly patience: SupabasePatience;
  /** Waits, in ms; ends with an error when the run is cancelled. */
  pause(ms: number): Promise<void>;
  /** Unix time in ms, for deadlines. */
  now(): number;
  /** Tells people what is being done. */
  tell(message: string): void;
  /** The agent of the app's host, dialled only by a mode that needs it. */
  agent(): Promise<Pick<AgentClient, "call">>;
}

/** What may be waited for. A read is short, for a plan waits for it. */
interface SupabasePatience {
  /** How long one answer may take, in ms. */
  readonly answerMs: number;
  /** How often is asked again. */
  readonly retries: number;
  /** How long a project on the platform may take to come up, in ms. */
  readonly comingUpMs: number;
}

/** One setting that is not as the settings say. Never holds a secret. */
export interface SupabaseDifference {
  /** Steps from the settings (`supabase`) to the one that differs: `["auth", "siteUrl"]`. */
  readonly path: readonly [string, ...(string | number)[]];
  readonly message: string;
  readonly wanted?: string | undefined;
  readonly found?: string | undefined;
}

/** What a Supabase is found by: public, and kept in the stack's state in clear. */
export interface SupabaseFacts {
  readonly url?: string | undefined;
  readonly ref?: string | undefined;
  readonly publishableKey?: string | undefined;
}

/**
 * A way to have a Supabase: observe → plan → apply → verify. Observing changes nothing; planning is pure, and what it
 * answers is both the drift and the work to do; after applying, the same plan over a new observation has to be empty.
 * Nothing that is there is ever deleted, and what the settings do not name is not looked at.
 */
export interface SupabaseMode<Settings, Observed> {
  /** @throws IkomaError when it cannot be looked at */
  observe(settings: Settings, run: SupabaseRun): Promise<Observed>;
  plan(settings: Settings, observed: Observed, secrets: SupabaseRun["secrets"]): SupabaseDifference[];
  /** Why differences cannot be mended from here; undefined where they can. Pure too: a plan is told it already. */
  refusal(settings: Settings, observed: Observed, differences: readonly SupabaseDifference[]): IkomaError | undefined;
  /** Is called only where something differs. Has to be repeatable: an answer may have been lost. */
  apply(
    settings: Settings,
    observed: Observed,
    differences: readonly SupabaseDifference[],
    run: SupabaseRun,
  ): Promise<void>;
  facts(settings: Settings, observed: Observed): SupabaseFacts;
}
