import { IkomaError } from "../errors.ts";
import { describeMoment, windowState } from "./deploy-windows.ts";
import type { Policy } from "./policy-config.ts";

/** What somebody has said of one run, for the policy to heed. */
export interface Clearance {
  /** Why it may be outside the deploy windows; a rollback is a reason. */
  readonly outsideWindow?: string | undefined;
  /** Whether its plan has the approvals that it needs, or needs none. */
  readonly isApproved?: boolean | undefined;
}

/** Reads a reason to be outside the windows from the environment: for plain `pulumi up`. */
export function clearanceOfEnvironment(environment: NodeJS.ProcessEnv): Clearance {
  const reason = environment["IKOMA_OUTSIDE_WINDOW"];
  return isReason(reason) ? { outsideWindow: reason } : {};
}

/** Whether something was said: a variable of CI that nobody filled in is no reason. */
export function isReason(text: string | undefined): text is string {
  return text !== undefined && text.trim() !== "";
}

/** Holds the changes of one run to the stack's policy, before the first of them. */
export class ChangeGuard {
  readonly #policy: Policy | undefined;
  readonly #clearance: Clearance;
  readonly #now: () => number;
  /** Apps that this run has begun to change: a window that closes meanwhile leaves nothing half done. */
  readonly #begun = new Set<string>();

  /** @param now Unix time in ms */
  constructor(policy: Policy | undefined, clearance: Clearance, now: () => number = Date.now) {
    this.#policy = policy;
    this.#clearance = clearance;
    this.#now = now;
  }

  /**
   * Passes where the app (undefined: what is no app's) may be changed now.
   *
   * @throws WINDOW_CLOSED, APPROVAL_MISSING
   */
  admit(app: string | undefined): void {
    if (this.#begun.has(app ?? "")) return;
    const closed = this.whyClosed(app);
    if (closed !== undefined) throw closed;
    // Of approvals only the apps know: a host's agent is set up by whoever may log in there.
    if (app !== undefined && this.#policy?.approvals !== undefined && this.#clearance.isApproved !== true) {
      throw new IkomaError("APPROVAL_MISSING", `A change of ${app} has to be approved first.`, {
        hint: "Plain `pulumi up` cannot show approvals: use `ikoma deploy plan`, `ikoma deploy approve`, then `ikoma deploy apply`.",
      });
    }
    this.#begun.add(app ?? "");
  }

  /** WINDOW_CLOSED if the app may not be changed now, for a plan to tell. */
  whyClosed(app: string | undefined): IkomaError | undefined {
    if (isReason(this.#clearance.outsideWindow)) return undefined;
    const state = windowState(this.#policy?.windows ?? [], this.#now(), app);
    if (state.isOpen) return undefined;
    const { reason, opensAtMs } = state;
    const next = opensAtMs === undefined ? "not within the next month" : describeMoment(opensAtMs);
    const what = app === undefined ? "Nothing may be changed" : `${app} may not be changed`;
    return new IkomaError("WINDOW_CLOSED", `${what} now: ${reason}. Next: ${next}.`, {
      details: { reason, ...(opensAtMs !== undefined && { opensAt: new Date(opensAtMs).toISOString() }) },
    });
  }
}
