import * as z from "zod";
import type { MigrationSpec } from "../../../core/migrations/migration-spec.ts";
import { isSignatureRequired } from "../../../core/signing/signature-policy.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { ReleaseInput } from "../../ledger/deployments.ts";
import { operations } from "../../protocol/operations.ts";
import type { OperationInput } from "../../protocol/operations.ts";

const stageInput = operations["bundle.stage"].input;
type StageInput = z.infer<typeof stageInput>;
type Admitting = Pick<Host, "settings" | "deployments" | "parts" | "vault">;

// What checks signatures is loaded where they are asked for: most hosts never do.
const loadVerdict = () => import("./verdict.ts");

/**
 * Refuses to bring images here that no signed bundle names, where signatures are asked for. A bundle that this host
 * keeps a good deployment of is let through (`isKnownEnough`): whether just that is to run is asked at the release.
 *
 * @throws IkomaError BUNDLE_UNSIGNED, BUNDLE_SIGNATURE_INVALID
 */
export async function admitStage(host: Admitting, input: StageInput, isKnownEnough = true): Promise<void> {
  if (!isSignatureRequired(host.settings.signatures, input.requireSignature)) return;
  const { requireSignedStage } = await loadVerdict();
  requireSignedStage(host, input, isKnownEnough);
}

/** Where a signature is not asked for, one that does not count is worth a word. */
export async function remarkSignature(host: Admitting, input: StageInput, op: OperationContext): Promise<void> {
  const { signatures: policy } = host.settings;
  if (policy === undefined || input.proofs === undefined || isSignatureRequired(policy, input.requireSignature)) return;
  const { signatureRemark } = await loadVerdict();
  const remark = signatureRemark(input, policy.keys);
  if (remark !== undefined) op.warn("signature", remark);
}

/**
 * Refuses a release that is not, field by field, what a signed bundle becomes with the values that came along, where
 * signatures are asked for. Just what this host has served before is let through, whoever has signed it.
 *
 * @param asked as it came: with markers in place of secrets that the host keeps
 * @param digest keyed, of the whole release
 * @throws IkomaError BUNDLE_UNSIGNED, BUNDLE_SIGNATURE_INVALID
 */
export async function admitRelease(
  host: Admitting,
  asked: ReleaseInput,
  digest: string,
  op: OperationContext,
): Promise<void> {
  const { app } = asked.spec;
  const staged = stagedFor(host, app);
  if (!isSignatureRequired(host.settings.signatures, staged?.requireSignature)) return;
  const { requireSignedRelease, isCovered } = await loadVerdict();
  if (isServedBefore(host, app, digest)) {
    if (staged === undefined || !isCovered(host, staged, asked.spec.bundle))
      op.step("signature", "no signature that counts; let through because this host has served just this before");
    return;
  }
  requireSignedRelease(host, staged, asked);
}

/** The same for long-lived services; let through is what they are already. */
export async function admitAccessories(host: Admitting, input: OperationInput<"accessories.apply">): Promise<void> {
  const { app } = input.spec;
  const staged = stagedFor(host, app);
  if (!isSignatureRequired(host.settings.signatures, staged?.requireSignature)) return;
  const known = host.parts.get(app, "accessories", z.unknown());
  if (known !== undefined && host.vault.keyedDigest(known) === host.vault.keyedDigest(input.spec)) return;
  const { requireSignedAccessories } = await loadVerdict();
  requireSignedAccessories(host, staged, input);
}

/** Refuses to run SQL that is in no signed bundle, where signatures are asked for; `spec` has the files that are to be run. */
export async function admitMigrations(host: Admitting, spec: MigrationSpec): Promise<void> {
  const staged = stagedFor(host, spec.app);
  if (!isSignatureRequired(host.settings.signatures, staged?.requireSignature)) return;
  const { requireSignedMigrations } = await loadVerdict();
  requireSignedMigrations(host, staged, spec);
}

/** The same for a program that migrates. */
export async function admitCommand(host: Admitting, input: OperationInput<"migration.command">): Promise<void> {
  const staged = stagedFor(host, input.spec.app);
  if (!isSignatureRequired(host.settings.signatures, staged?.requireSignature)) return;
  const { requireSignedCommand } = await loadVerdict();
  requireSignedCommand(host, staged, input);
}

function stagedFor(host: Admitting, app: string): StageInput | undefined {
  return host.parts.get(app, "bundle", stageInput);
}

function isServedBefore(host: Admitting, app: string, digest: string): boolean {
  const served = host.deployments.kept(app).filter(({ status }) => status !== "started");
  return served.some((each) => each.digest === digest);
}
