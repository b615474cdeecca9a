import { createHash } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import { IkomaError } from "../errors.ts";
import type { DeployPlan, DeployPlanEntry } from "./deploy-plan.ts";

/**
 * One text that is equal for plans that would do the same: over resources, operations, fields with their values, what
 * is made, and drift, whatever the order in which the engine told them. A secret counts as changed or not, its value does not.
 *
 * @returns `sha256:` and 64 hexadecimal digits
 */
export function planDigest({ stack, entries }: DeployPlan): string {
  const parts = entries.map(digested).sort();
  const hash = createHash("sha256").update(canonicalJson({ stack, parts }));
  return `sha256:${hash.digest("hex")}`;
}

/**
 * Holds a plan to the one that somebody approved.
 *
 * @throws PLAN_CHANGED; USAGE for what cannot be a digest
 */
export function requirePlan(plan: DeployPlan, approved: string): void {
  if (!/^sha256:[0-9a-f]{64}$/.test(approved)) {
    throw new IkomaError("USAGE", `${approved} is no digest of a plan.`, {
      hint: "It is the `digest` of `ikoma deploy plan --json`: `sha256:` and 64 hexadecimal digits.",
    });
  }
  const digest = planDigest(plan);
  if (digest === approved) return;
  throw new IkomaError("PLAN_CHANGED", `What would be done is no longer what was approved (now ${digest}).`, {
    details: { approved, digest },
  });
}

/** Whether the host was looked at is left out: a plan that was made offline is the same plan, if nothing has drifted. */
function digested({ urn, operation, changes, made, drift, secretsOf, strategy }: DeployPlanEntry): string {
  const fields = changes.map((each) => canonicalJson(each)).sort();
  return canonicalJson({ urn, operation, fields, made, drift: [...drift].sort(), secretsOf, strategy });
}
