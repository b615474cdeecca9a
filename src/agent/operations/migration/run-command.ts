import { createHash } from "node:crypto";
import { canonicalJson } from "../../../core/canonical-json.ts";
import { IkomaError } from "../../../core/errors.ts";
import type { ExpectedCommand, MigrationCommandSpec } from "../../../core/migrations/migration-command.ts";
import type { AccessoriesSpec } from "../../../core/release/release-spec.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { OperationInput, OperationResult } from "../../protocol.ts";
import { accessoriesProject, migrationProject, renderMigration } from "../compose-project.ts";
import { awaitJob, type JobFailure } from "../job-run.ts";
import { admitCommand } from "../signed/admission.ts";
import { hasRun, rememberRun } from "./remembered-migrations.ts";

/**
 * Runs the program by which an app migrates its database itself: once for each bundle, in its new image, where the
 * accessories are. A bundle that is gone back to has had its turn, and is not run again.
 *
 * @throws MIGRATION_FAILED
 */
export async function runMigrationCommand(
  host: Host,
  input: OperationInput<"migration.command">,
  op: OperationContext,
): Promise<OperationResult<"migration.command">> {
  const { spec } = input;
  const key = commandKey(spec);
  if (hasRun(host, spec.app, key)) return { ran: false };
  await admitCommand(host, input);
  await op.enter("migrating");
  op.step("migrate", spec.command.join(" "));
  await removeMigrationRun(host, spec.app);
  try {
    await runOnce(host, spec, op);
  } finally {
    await removeMigrationRun(host, spec.app);
  }
  rememberRun(host, spec.app, key);
  return { ran: true };
}

/** What a run is known by: its bundle, and what of that is run. */
export function commandKey({ bundle, service, command }: ExpectedCommand): string {
  return createHash("sha256")
    .update(canonicalJson([bundle, service, command]))
    .digest("hex");
}

/** Removes what is left of a run, also of one that a crash of the agent cut off. */
export async function removeMigrationRun(host: Host, app: string): Promise<void> {
  const found = await host.containers.list(ownLabels(app, "migration"));
  await Promise.all(found.map((each) => host.containers.stopAndRemove(each.Id)));
  await host.files.remove(migrationProject(app));
}

async function runOnce(host: Host, spec: MigrationCommandSpec, op: OperationContext): Promise<void> {
  const { app, service, command, definition, volumes, timeoutSeconds } = spec;
  const subnet = await host.networks.subnetOf(accessoriesProject(app));
  if (subnet === undefined)
    throw failed(spec, "cannot be run: the app has no accessories on this host, so no network", { log: [] });
  const run: AccessoriesSpec = { app, services: { [service]: { ...definition, command } }, volumes };
  await host.files.provide(migrationProject(app), run.services);
  await host.compose.up(renderMigration(run, { service, subnet }, host.files), [service], op.signal);
  const [container] = await host.containers.list(ownLabels(app, "migration"));
  const job = { service, container: container?.Id ?? "", timeoutSeconds };
  await awaitJob(host, { ...job, failed: (what, failure) => failed(spec, what, failure) }, op);
}

function failed({ command }: MigrationCommandSpec, what: string, failure: JobFailure): IkomaError {
  const last = failure.log.at(-1);
  const said = last === undefined ? "." : `; its last line: ${last}`;
  return new IkomaError("MIGRATION_FAILED", `\`${command.join(" ")}\` ${what}${said}`, {
    hint: "Read its lines above; what it had done to the database stays, and no release was changed.",
    details: { command, ...failure },
  });
}
