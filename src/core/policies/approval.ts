import * as z from "zod";
import { canonicalJson } from "../canonical-json.ts";
import type { ApprovalPolicy } from "./policy-config.ts";

/** What a plan is, beyond what it would do: all that an approval is bound to. */
export interface ApprovedThing {
  readonly project: string;
  readonly stack: string;
  /** Digest of the plan: every resource, operation and field that would change. */
  readonly plan: string;
  /** Bundles that the plan is about, by app. */
  readonly bundles: Readonly<Record<string, string>>;
  /** Digest of the stack's settings as they stand in its file. */
  readonly config: string;
  /** Commit of the project's folder; null where it is not in Git. */
  readonly commit: string | null;
}

const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);

const statement = z.strictObject({
  kind: z.literal("ikoma-approval/1"),
  project: z.string(),
  stack: z.string(),
  plan: digest,
  bundles: z.record(z.string(), z.string()),
  config: digest,
  commit: z.string().nullable(),
  /** Name in `ikoma:policy.approvals.approvers`. */
  approver: z.string(),
  /** Unix time, ms. */
  approvedAtMs: z.number(),
});
export type ApprovalStatement = z.infer<typeof statement>;

/** A statement as it was signed, and the signature over exactly that text. */
export const signedApproval = z.strictObject({
  statement: z.string().max(64 * 1024),
  /** In OpenSSH's armour (`BEGIN SSH SIGNATURE`). */
  signature: z.string().max(16 * 1024),
});
export type SignedApproval = z.infer<typeof signedApproval>;

/** The text that is signed. */
export function approvalText(thing: ApprovedThing, approver: string, approvedAtMs: number): string {
  return canonicalJson({ kind: "ikoma-approval/1", ...thing, approver, approvedAtMs } satisfies ApprovalStatement);
}

/** What an approval says; undefined where the text is none. */
export function readStatement(text: string): ApprovalStatement | undefined {
  try {
    return statement.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/**
 * Why a statement, however well it is signed, does not count for this plan; undefined where it does.
 *
 * @param nowMs Unix time
 */
export function whyNotCounted(
  given: ApprovalStatement,
  thing: ApprovedThing,
  policy: ApprovalPolicy,
  nowMs: number,
): string | undefined {
  const validMs = policy.validHours * 3_600_000;
  if (policy.approvers[given.approver] === undefined) return "is no approver of this stack";
  if (given.project !== thing.project || given.stack !== thing.stack) return `is for ${given.project}/${given.stack}`;
  if (given.plan !== thing.plan) return "is for another plan";
  if (canonicalJson(given.bundles) !== canonicalJson(thing.bundles)) return "is for another bundle";
  if (given.config !== thing.config) return "is for other settings";
  if (given.commit !== thing.commit) return `is for ${commitText(given.commit)}, not for ${commitText(thing.commit)}`;
  // A clock that is a little ahead is no forgery.
  if (given.approvedAtMs > nowMs + 300_000) return "is from the future; compare the clocks";
  if (nowMs - given.approvedAtMs > validMs) return `is older than ${policy.validHours} h`;
  return undefined;
}

function commitText(commit: string | null): string {
  return commit === null ? "a folder outside of Git" : `commit ${commit.slice(0, 12)}`;
}
