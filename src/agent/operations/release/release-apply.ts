import { setTimeout as sleep } from "node:timers/promises";
import { toIkomaError } from "../../../core/errors.ts";
import type { ErrorCode } from "../../../core/errors.ts";
import { ownLabels } from "../../engine/networks.ts";
import { labels } from "../../engine/containers.ts";
import { sayingWhatServes, tellLastLines, withServiceLog } from "../../gate/gate-failure.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { LedgerDeployment, ReleaseInput } from "../../ledger/deployments.ts";
import { unknownDigest } from "../../ledger/found-deployments.ts";
import type { OperationResult } from "../../protocol.ts";
import { readRelease, servicesOf } from "../../reading/read-release.ts";
import { recreateAlteredWorkers } from "../upkeep/altered-workers.ts";
import { ensureVolumes } from "../accessories/required-volumes.ts";
import { restoreRouting, retireDeployment, underwayKey } from "../upkeep/converge.ts";
import { withKeptSecrets } from "./kept-secrets.ts";
import { refuseIncompatible } from "./refuse-incompatible.ts";
import { refuseWithdrawn } from "./refuse-withdrawn.ts";
import { runHooks, runPostHooks } from "./hooks.ts";
import { cutOver } from "./release-cutover.ts";
import { bringUp, startWorkers } from "./release-start.ts";

type Result = OperationResult<"release.apply">;

/** How long the answer to a failed deploy waits for the containers of it to be gone, in milliseconds. */
const undoPatienceMs = 5000;

/**
 * Brings a release to serve: beside the old one, gated, checked where nobody else can see it, then
 * switched to without a reload. Whatever fails before the ledger says `current` leaves the old release
 * serving and removes the new one. (Start, probe, swap, drain: the order of kamal-proxy.)
 */
export async function applyRelease(host: Host, asked: ReleaseInput, op: OperationContext): Promise<Result> {
  const input = withKeptSecrets(host, asked);
  const digest = host.vault.keyedDigest(input.spec);
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
  const deployment = host.deployments.begin(input, digest, op.by);
  host.journal.setNumber(op.key, deployment.number);
  const underway = underwayKey(deployment.app, deployment.number);
  host.underway.add(underway);
  try {
    const hooks = { app, number: deployment.number, spec: input.spec };
    const placements = await bringUp(host, input.spec, deployment, op, () => runHooks(host, hooks, "pre", op));
    await cutOver(host, input, deployment, placements, op);
    await runPostHooks(host, hooks, op);
  } catch (error) {
    if (host.deployments.current(deployment.app)?.number !== deployment.number) {
      const told = await withServiceLog(host.containers, input.spec, deployment.number, error, op);
      await undo(host, deployment, told, op);
      throw sayingWhatServes(told, host.deployments.current(deployment.app) ?? null);
    }
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
  const before = await readRelease(host, app, input.spec);
  // The release is the same, but what goes with it (source, number to keep) may not be.
  host.deployments.renew(app, current.number, input);
  if (before.drift.length === 0) return asItStands(before.services, true);
  op.step("repair", before.drift.map((each) => each.message).join("; "));
  try {
    const placements = await bringUp(host, input.spec, current, op);
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

/** What a release does by its own fault. Where visitors had seen it already, it is withdrawn (docs/adr/0005). */
const ownFaults: readonly ErrorCode[] = [
  "RELEASE_CRASHED",
  "RELEASE_UNHEALTHY",
  "RELEASE_SMOKE_FAILED",
  "RELEASE_BAKE_FAILED",
];

/** Back to what the ledger has: the old release serves (its containers never stopped), and nothing of the new one is left. */
async function undo(host: Host, deployment: LedgerDeployment, error: unknown, op: OperationContext): Promise<void> {
  const sinceMs = performance.now();
  const { app, number } = deployment;
  const old = host.deployments.current(app);
  const wasSeen = ["switching", "baking"].includes(host.journal.find(op.key)?.phase ?? "");
  const why = error instanceof Error ? op.redact(error.message) : "unknown reason";
  if (wasSeen && old !== undefined && ownFaults.includes(toIkomaError(error).code))
    host.deployments.takeBack(app, number, why);
  else host.deployments.fail(app, number, why);
  host.underway.delete(underwayKey(app, number));
  if (!wasSeen)
    op.step("undo", old === undefined ? "nothing served before" : `#${old.number} (${old.version}) serves on`);
  try {
    await restoreRouting(host, app);
    if (wasSeen && old !== undefined) {
      const tookMs = Math.round(performance.now() - sinceMs);
      op.step("undo", `#${old.number} (${old.version}) serves again, ${tookMs} ms after the verdict`);
      await tellWhatItSaid(host, deployment, op);
    }
    // Only this one, and not longer than a caller cares to wait: what drains goes on after the answer.
    const retired = retireDeployment(host, app, number).then(() => true);
    const isGone = await Promise.race([retired, sleep(undoPatienceMs, false, { ref: false })]);
    if (!isGone) op.step("undo", `#${number} still drains or stops`);
  } catch (failure) {
    // Must not hide why the release failed; the sweep tries the rest again.
    op.step("undo", `not finished yet: ${failure instanceof Error ? failure.message : String(failure)}`);
  }
}

/** The last words of a release that visitors have seen, while they can still be read. */
async function tellWhatItSaid(host: Host, { app, number }: LedgerDeployment, op: OperationContext): Promise<void> {
  for (const each of await host.containers.list(ownLabels(app, "release", number)))
    await tellLastLines(host.containers, each.Config.Labels?.[labels.service] ?? "", each.Id, op);
}
