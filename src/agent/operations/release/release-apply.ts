import { sayingWhatServes, withServiceLog } from "../../gate/gate-failure.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { LedgerDeployment, ReleaseInput } from "../../ledger/deployments.ts";
import { unknownDigest } from "../../ledger/found-deployments.ts";
import type { OperationResult } from "../../protocol/operations.ts";
import { readRelease, servicesOf } from "../../reading/read-release.ts";
import { admitRelease } from "../signed/admission.ts";
import { recreateAlteredWorkers } from "../upkeep/altered-workers.ts";
import { ensureVolumes } from "../accessories/required-volumes.ts";
import { bringBack } from "../upkeep/bring-back.ts";
import { restoreRouting, underwayKey } from "../upkeep/converge.ts";
import { withKeptSecrets } from "./kept-secrets.ts";
import { endOthersAlone, makeWay } from "./make-way.ts";
import { refuseIncompatible } from "./refuse-incompatible.ts";
import { refuseWithdrawn } from "./refuse-withdrawn.ts";
import { runHooks, runPostHooks } from "./hooks.ts";
import { cutOver } from "./release-cutover.ts";
import { bringUp, startWorkers } from "./release-start.ts";
import { roundsOf } from "./release-rolling.ts";
import { undoRelease } from "./release-undo.ts";

type Result = OperationResult<"release.apply">;

/**
 * Brings a release to serve: beside the old one, gated, checked where nobody else can see it, then
 * switched to without a reload. Whatever fails before the ledger says `current` leaves the old release
 * serving and removes the new one. (Start, probe, swap, drain: the order of kamal-proxy.)
 */
export async function applyRelease(host: Host, asked: ReleaseInput, op: OperationContext): Promise<Result> {
  const input = withKeptSecrets(host, asked);
  const digest = host.vault.keyedDigest(input.spec);
  await admitRelease(host, asked, digest, op);
  await ensureVolumes(host, input.spec, input.recreateVolumes);
  const current = host.deployments.current(input.spec.app);
  if (current?.digest === digest) {
    const standing = await keepOrHeal(host, input, current, op);
    if (standing !== undefined) return standing;
  }
  if (current?.digest === unknownDigest) {
    const adopted = await adopt(host, input, { ...current, digest }, op);
    if (adopted !== undefined) return adopted;
  }
  const { app, bundle } = input.spec;
  refuseWithdrawn(host, { app, bundle, digest, redeploy: input.redeploy, rollbackTo: input.rollbackTo });
  refuseIncompatible(host, { app, bundle, migrations: input.migrations });
  const deployment = host.parts.atOnce(() => {
    const begun = host.deployments.begin(input, digest, op.by);
    host.journal.setNumber(op.key, begun.number);
    return begun;
  });
  const underway = underwayKey(deployment.app, deployment.number);
  host.underway.add(underway);
  try {
    const hooks = { app, number: deployment.number, spec: input.spec };
    const placements = await bringUp(host, input.spec, deployment, op, {
      beforeStart: async () => {
        await runHooks(host, hooks, "pre", op);
        await makeWay(host, input, deployment.number, op);
      },
      websOf: (all) => roundsOf(host, input, all)[0] ?? [],
    });
    await cutOver(host, input, deployment, placements, op);
    host.standingDown.delete(app);
    await runPostHooks(host, hooks, op);
  } catch (error) {
    if (host.deployments.current(deployment.app)?.number !== deployment.number) {
      const told = await withServiceLog(host.containers, input.spec, deployment.number, error, op);
      await undoRelease(host, deployment, told, op);
      throw sayingWhatServes(told, host.deployments.current(deployment.app) ?? null);
    }
    host.standingDown.delete(app);
    await finish(host, deployment, error, op);
  } finally {
    host.underway.delete(underway);
    host.prepared.delete(deployment.app);
  }
  return { number: deployment.number, digest, unchanged: false, services: await servicesOf(host, deployment.app) };
}

/** Serving and as it should be: nothing to do. Merely fallen over: put up again under its own number. Else undefined. */
async function keepOrHeal(
  host: Host,
  input: ReleaseInput,
  current: LedgerDeployment,
  op: OperationContext,
): Promise<Result | undefined> {
  const { app } = input.spec;
  const asItStands = (services: Result["services"], unchanged: boolean): Result => {
    return { number: current.number, digest: current.digest, unchanged, services };
  };
  if (host.standingDown.has(app)) await bringBack(host, app);
  const before = await readRelease(host, app, input.spec);
  // The release is the same, but what goes with it (source, number to keep) may not be.
  host.deployments.renew(app, current.number, input);
  if (before.drift.length === 0) return asItStands(before.services, true);
  op.step("repair", before.drift.map((each) => each.message).join("; "));
  try {
    const placements = await bringUp(host, input.spec, current, op);
    await endOthersAlone(host, input.spec, current.number);
    await recreateAlteredWorkers(host, input.spec, current.number, placements);
    await startWorkers(host, input.spec, current.number, placements, op);
    await restoreRouting(host, app);
  } catch (error) {
    op.signal.throwIfAborted();
    op.step(
      "repair",
      `the containers could not be put up again (${error instanceof Error ? error.message : String(error)}); the release is deployed anew`,
    );
    return undefined;
  }
  const after = await readRelease(host, app, input.spec);
  return after.drift.length === 0 ? asItStands(after.services, false) : undefined;
}

/**
 * What was found running by a ledger that was lost (docs/adr/0011) and is just what is asked for: from now on it is known
 * by that. Undefined where it is anything else, which the release then takes the place of.
 */
async function adopt(
  host: Host,
  input: ReleaseInput,
  { app, number, digest }: LedgerDeployment,
  op: OperationContext,
): Promise<Result | undefined> {
  const { drift, services } = await readRelease(host, app, input.spec);
  if (drift.length > 0) {
    op.step("adopt", `#${number} is not this release: ${drift.map((each) => each.message).join("; ")}`);
    return undefined;
  }
  host.deployments.found.adopt(app, number, input, digest, op.by);
  op.step("adopt", `#${number} is this release; nothing is restarted`);
  return { number, digest, unchanged: true, services };
}

/** The ledger says that it serves, so it is not undone: what failed after that is set right from the ledger. */
async function finish(host: Host, deployment: LedgerDeployment, error: unknown, op: OperationContext): Promise<void> {
  const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown));
  op.step("repair", `#${deployment.number} serves; the edge is told again, because: ${reasonOf(error)}`);
  try {
    await restoreRouting(host, deployment.app);
  } catch (failure) {
    op.step("repair", `not finished yet: ${reasonOf(failure)}; the sweep tries again`);
  }
}
