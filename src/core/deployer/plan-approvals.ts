import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import * as z from "zod";
import { canonicalJson } from "../canonical-json.ts";
import { readYaml } from "../config/read-yaml.ts";
import { IkomaError } from "../errors.ts";
import { withoutOwnSecrets } from "../own-secrets.ts";
import {
  readStatement,
  whyNotCounted,
  type ApprovalStatement,
  type ApprovedThing,
  type SignedApproval,
} from "../policies/approval.ts";
import type { ApprovalPolicy } from "../policies/policy-config.ts";
import { isSignedBy } from "../policies/ssh-signature.ts";
import type { DeployProject } from "../project/deploy-project.ts";
import type { AppEdit, StackSettings } from "../project/deploy-stack-file.ts";
import type { DeployPlan } from "./deploy-plan.ts";
import { planDigest } from "./plan-digest.ts";

/** What the approvals of a plan come to. */
export interface ApprovalCount {
  readonly required: number;
  /** Names, each once, in order. */
  readonly approvedBy: readonly string[];
  /** Approvals that do not count, each with the reason; those of other plans are left out. */
  readonly refused: readonly string[];
}

/** The apps that a plan changes something of. */
export function changedApps({ entries }: DeployPlan): string[] {
  const changed = entries.filter(({ operation }) => operation !== "same").flatMap(({ app }) => app ?? []);
  return [...new Set(changed)].sort();
}

/** All that an approval of this plan is bound to. */
export async function thingToApprove(
  project: DeployProject,
  settings: StackSettings,
  plan: DeployPlan,
  edit: AppEdit | undefined,
): Promise<ApprovedThing> {
  const bundleOf = (app: string): unknown => (edit?.app === app ? edit.set["bundle"] : settings.apps[app]?.bundle);
  const bundles = changedApps(plan).map((app) => [app, z.string().catch("").parse(bundleOf(app))] as const);
  return {
    project: project.name,
    stack: project.stackName,
    plan: planDigest(plan),
    bundles: Object.fromEntries(bundles),
    config: await configDigest(project.stackFile),
    commit: await commitOf(project.folder),
  };
}

/** Counts the approvals that hold for exactly this, one for each approver. */
export async function countApprovals(
  approvals: readonly SignedApproval[],
  thing: ApprovedThing,
  policy: ApprovalPolicy,
  nowMs: number,
): Promise<ApprovalCount> {
  const [approvedBy, refused] = [new Set<string>(), new Set<string>()];
  for (const { statement: text, signature } of approvals) {
    const statement = readStatement(text);
    if (statement === undefined || statement.plan !== thing.plan) continue;
    const reason =
      whyNotCounted(statement, thing, policy, nowMs) ?? (await whyForged(statement, text, signature, policy));
    if (reason === undefined) approvedBy.add(statement.approver);
    else refused.add(`that of ${statement.approver} ${reason}`);
  }
  return { required: policy.required, approvedBy: [...approvedBy].sort(), refused: [...refused].sort() };
}

async function whyForged(
  { approver }: ApprovalStatement,
  text: string,
  signature: string,
  { approvers }: ApprovalPolicy,
): Promise<string | undefined> {
  const key = approvers[approver];
  return key !== undefined && (await isSignedBy(key, text, signature, "ikoma-approval"))
    ? undefined
    : "is not signed with that person's key";
}

/** @throws APPROVAL_MISSING that says who has approved, and why others do not count */
export function requireApprovals(
  { required, approvedBy, refused }: ApprovalCount,
  { stack, plan }: ApprovedThing,
): void {
  if (approvedBy.length >= required) return;
  const have = approvedBy.length === 0 ? "none has approved it" : `so far: ${approvedBy.join(", ")}`;
  const others = refused.length === 0 ? "" : ` Not counted: ${refused.join("; ")}.`;
  throw new IkomaError(
    "APPROVAL_MISSING",
    `The plan needs ${required === 1 ? "an approval" : `${required} approvals`}; ${have}.${others}`,
    {
      hint: `An approver looks at it and runs \`ikoma deploy approve -s ${stack} --plan ${plan}\` (with the same --bundle and --app); then run this again.`,
      details: { plan, required, approvedBy, refused },
    },
  );
}

const stackFile = z.looseObject({ config: z.record(z.string(), z.unknown()).nullish() }).nullish();

/** Over what the file says, not how: comments and order do not count; a secret counts as it is encrypted. */
async function configDigest(path: string): Promise<string> {
  const config = stackFile.parse(readYaml(await readFile(path, "utf8"), path).value)?.config ?? {};
  return `sha256:${createHash("sha256").update(canonicalJson(config)).digest("hex")}`;
}

async function commitOf(folder: string): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)("git", ["-C", folder, "rev-parse", "--verify", "HEAD"], {
      env: withoutOwnSecrets(),
    });
    return stdout.trim();
  } catch {
    return null;
  }
}
