import { IkomaError } from "../../../core/errors.ts";
import type { Host } from "../../host.ts";

/** What is asked for. */
interface Asked {
  app: string;
  bundle: string;
  /** Of the deployment; without it only what holds for the whole bundle is looked up. */
  digest?: string;
  redeploy: boolean;
  /** The deployment that a rollback goes back to. */
  rollbackTo?: number | undefined;
}

/**
 * Refuses what is on the withdrawn list, unless somebody says that it is meant: by `redeploy`, or by a rollback to it.
 *
 * @throws IkomaError RELEASE_WITHDRAWN; NO_ROLLBACK_TARGET for a rollback to what the ledger does not have
 */
export function refuseWithdrawn(host: Host, { app, bundle, digest, redeploy, rollbackTo }: Asked): void {
  if (rollbackTo !== undefined) {
    if (host.deployments.find(app, rollbackTo)?.bundle === bundle) return;
    throw new IkomaError(
      "NO_ROLLBACK_TARGET",
      `The ledger has no deployment #${rollbackTo} of ${app} with this bundle.`,
    );
  }
  if (redeploy) return;
  const found = host.deployments.withdrawn.find(app, bundle, digest);
  if (found === undefined) return;
  const version = host.deployments.find(app, found.number)?.version ?? bundle;
  throw new IkomaError(
    "RELEASE_WITHDRAWN",
    `${version} was deployed as #${found.number} of ${app} and withdrawn at ${new Date(found.atMs).toISOString()}: ${found.reason}`,
    {
      hint: `Deploy another bundle: \`ikoma deploy apply --bundle REF\`; or, if you are sure of this one: \`ikoma deploy apply --redeploy\`. \`ikoma deploy history\` shows what happened.`,
      details: { number: found.number, reason: found.reason, withdrawnAtMs: found.atMs },
    },
  );
}
