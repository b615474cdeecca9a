import { readBackupStatus } from "../backups/read-backups.ts";
import type { Host } from "../host.ts";
import { publicView } from "../ledger/deployments.ts";
import { rebuiltNotice, unknownDigest } from "../ledger/found-deployments.ts";
import type { OperationRunner } from "../operations/operation-runner.ts";
import type { Result } from "../protocol/methods.ts";
import { readAccessories } from "./read-parts.ts";
import { readRelease } from "./read-release.ts";

/** All apps of the host: what the ledger has as current, what really runs, what is under way. */
export async function readStatus(host: Host, runner: OperationRunner): Promise<Result<"app.status">> {
  const apps = await Promise.all(
    host.parts.apps().map(async (app) => {
      const [release, accessories, backup] = await Promise.all([
        readRelease(host, app, undefined),
        readAccessories(host, app, undefined),
        readBackupStatus(host, app),
      ]);
      const current = host.deployments.current(app);
      const operation = runner.current(app);
      return {
        app,
        ...(current === undefined ? {} : { current: publicView(current) }),
        ...(current?.digest === unknownDigest && { rebuilt: rebuiltNotice }),
        services: { ...accessories.services, ...release.services },
        ...(backup !== undefined && { backup }),
        ...(operation === undefined
          ? {}
          : { operation: { kind: operation.kind, phase: operation.phase, by: operation.by } }),
      };
    }),
  );
  return { apps, repairs: [...host.repairs.all] };
}
