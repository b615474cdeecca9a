import { setTimeout as sleep } from "node:timers/promises";
import { toIkomaError } from "../../../core/errors.ts";
import type { ErrorCode } from "../../../core/errors.ts";
import { labels } from "../../engine/containers.ts";
import { ownLabels } from "../../engine/networks.ts";
import { tellLastLines } from "../../gate/gate-failure.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { LedgerDeployment } from "../../ledger/deployments.ts";
import type { ReleasePhase } from "../../protocol/phases.ts";
import { serveAgain, workAgain } from "../upkeep/bring-back.ts";
import { retireDeployment, underwayKey } from "../upkeep/converge.ts";
import { untilRecorded } from "../until-recorded.ts";

/** How long the answer to a failed deploy waits for the containers of it to be gone, in milliseconds. */
const undoPatienceMs = 5000;

/** What a release does by its own fault. Where visitors had seen it already, it is withdrawn (docs/adr/0005). */
const ownFaults: readonly ErrorCode[] = [
  "RELEASE_CRASHED",
  "RELEASE_UNHEALTHY",
  "RELEASE_SMOKE_FAILED",
  "RELEASE_BAKE_FAILED",
];

/** From these on visitors meet the new release. */
const seenPhases: readonly (ReleasePhase | undefined)[] = ["shifting", "rolling", "switching", "baking"];

/** Where a release stood when it failed. */
interface Standing {
  old: LedgerDeployment | undefined;
  /** Visitors had seen the new one. */
  wasSeen: boolean;
  /** The old one had to end before the new one could start. */
  isAway: boolean;
  sinceMs: number;
}

/** Back to what the ledger has: the old release serves, and nothing of the new one is left. */
export async function undoRelease(
  host: Host,
  deployment: LedgerDeployment,
  error: unknown,
  op: OperationContext,
): Promise<void> {
  const { app, number } = deployment;
  const standing = standingOf(host, deployment, op);
  const { old, wasSeen } = standing;
  const why = error instanceof Error ? op.redact(error.message) : "unknown reason";
  const isWithdrawn = wasSeen && old !== undefined && ownFaults.includes(toIkomaError(error).code);
  // Not waited for yet: on a full disk, too, the old release comes first.
  const ended = untilRecorded(host, op.key, () => {
    if (isWithdrawn) host.deployments.takeBack(app, number, why);
    else host.deployments.fail(app, number, why);
  });
  host.underway.delete(underwayKey(app, number));
  try {
    await backToOld(host, deployment, standing, op);
    const working = await workAgain(host, app);
    if (working.length > 0) op.step("undo", `${working.join(", ")} of the release before runs again`);
    // Only this one, and not longer than a caller cares to wait: what drains goes on after the answer.
    const retired = retireDeployment(host, app, number).then(() => true);
    const isGone = await Promise.race([retired, sleep(undoPatienceMs, false, { ref: false })]);
    if (!isGone) op.step("undo", `#${number} still drains or stops`);
  } catch (failure) {
    // Must not hide why the release failed; the sweep tries the rest again.
    op.step("undo", `not finished yet: ${failure instanceof Error ? failure.message : String(failure)}`);
  }
  await ended;
}

function standingOf(host: Host, { app, number }: LedgerDeployment, op: OperationContext): Standing {
  const phase = host.journal.find(op.key)?.phase;
  return {
    old: host.deployments.current(app),
    wasSeen: seenPhases.some((each) => each === phase),
    isAway: host.standingDown.has(app) && host.deployments.input(app, number)?.strategy === "replace",
    sinceMs: performance.now(),
  };
}

async function backToOld(
  host: Host,
  deployment: LedgerDeployment,
  { old, wasSeen, isAway, sinceMs }: Standing,
  op: OperationContext,
): Promise<void> {
  // Where the two must not run at once, the words of the new one go with it before the old one serves.
  if (wasSeen && isAway) await tellWhatItSaid(host, deployment, op);
  if (!wasSeen && !isAway)
    op.step("undo", old === undefined ? "nothing served before" : `#${old.number} (${old.version}) serves on`);
  await serveAgain(host, deployment.app);
  if (old === undefined || !(wasSeen || isAway)) return;
  const tookMs = Math.round(performance.now() - sinceMs);
  op.step("undo", `#${old.number} (${old.version}) serves again, ${tookMs} ms after the verdict`);
  if (wasSeen && !isAway) await tellWhatItSaid(host, deployment, op);
}

/** The last words of a release that visitors have seen, while they can still be read. */
async function tellWhatItSaid(host: Host, { app, number }: LedgerDeployment, op: OperationContext): Promise<void> {
  for (const each of await host.containers.list(ownLabels(app, "release", number)))
    await tellLastLines(host.containers, each.Config.Labels?.[labels.service] ?? "", each.Id, op);
}
