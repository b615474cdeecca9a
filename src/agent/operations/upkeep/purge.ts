import { IkomaError } from "../../../core/errors.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { OperationInput, OperationResult } from "../../protocol/operations.ts";
import { standingOf, userOf } from "../../reading/read-leftovers.ts";

/**
 * Deletes for good what a removed app has left: the volumes that the caller was shown and named, with their data,
 * then images and history. Refused as a whole, before anything is deleted, while the app still stands or a volume is not
 * its own. The counters of its changes stay: an operation of the old app must never pass for one of a new app.
 *
 * @throws APP_IN_USE
 */
export async function purgeApp(
  host: Host,
  { app, volumes }: OperationInput<"app.purge">,
  op: OperationContext,
): Promise<OperationResult<"app.purge">> {
  const standing = await standingOf(host, app);
  if (standing.length > 0)
    throw new IkomaError("APP_IN_USE", `${app} is not removed yet: ${standing.join(", ")}.`, { details: { standing } });
  const own = await host.volumes.ownOf(app);
  for (const name of volumes) await requireFree(host, app, name, own);

  await op.enter("deleting");
  for (const name of volumes) {
    await host.volumes.removeOwn(name, app);
    host.knownVolumes.forget(name);
    op.step("volume", `${name} is deleted`);
  }
  const images = host.imageUse.of(app);
  for (const reference of images) if (host.imageUse.drop(app, reference)) await host.images.remove(reference);
  await host.approvals.forget(app);
  const deployments = host.parts.atOnce(() => {
    host.journal.forget(app);
    // Kept while a release needed it; a new app's database has none of these migrations.
    host.parts.remove(app, "migration");
    return host.deployments.forget(app);
  });
  op.step("history", `${deployments} deployments are forgotten`);
  return { volumes, images: images.length, deployments };
}

async function requireFree(host: Host, app: string, name: string, own: readonly string[]): Promise<void> {
  const isGone = !(await host.volumes.exists(name));
  // A purge that was cut off is asked for again with the same names.
  if (isGone) return;
  const kept = own.includes(name) ? await userOf(host, app, name) : `it was not made for ${app}`;
  if (kept !== undefined) throw new IkomaError("APP_IN_USE", `The volume ${name} stays: ${kept}. Nothing was deleted.`);
}
