import { createHash } from "node:crypto";
import { canonicalJson } from "../../../core/canonical-json.ts";
import { IkomaError } from "../../../core/errors.ts";
import type { ExpectedCommand, MigrationCommandSpec } from "../../../core/migrations/migration-command.ts";
import type { AccessoriesSpec } from "../../../core/release/release-spec.ts";
import { ownLabels } from "../../engine/networks.ts";
import type { Host, OperationContext } from "../../host.ts";
import type { OperationInput, OperationResult } from "../../protocol/operations.ts";
import { accessoriesProject, migrationProject, renderMigration } from "../compose-project.ts";
import { awaitJob, type JobFailure } from "../job-run.ts";
import { admitCommand } from "../signed/admission.ts";
import { hasRun, rememberRun } from "./remembered-migrations.ts";

/**
 * Runs the program by which an app migrates its database itself: once for each bundle, in its new image, where the
 * accessories are, if there are any. A bundle that is gone back to has had its turn, and is not run again.
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
  const project = migrationProject(app);
  await Promise.all([host.networks.remove(project), host.files.remove(project)]);
  host.subnets.release(project);
}

/** That of the accessories; an app without any, whose database is elsewhere, gets one for the run alone. */
async function networkOf(host: Host, app: string): Promise<{ network: string; subnet: string }> {
  const network = accessoriesProject(app);
  const subnet = await host.networks.subnetOf(network);
  if (subnet !== undefined) return { network, subnet };
  const own = migrationProject(app);
  const given = host.subnets.allocate(own, await host.networks.subnetsInUse());
  await host.networks.create(own, given, ownLabels(app, "migration"));
  return { network: own, subnet: given };
}

async function runOnce(host: Host, spec: MigrationCommandSpec, op: OperationContext): Promise<void> {
  const { app, service, command, definition, volumes, timeoutSeconds } = spec;
  const run: AccessoriesSpec = { app, services: { [service]: { ...definition, command } }, volumes };
  await host.files.provide(migrationProject(app), run.services);
  const place = { service, ...(await networkOf(host, app)) };
  await host.compose.up(renderMigration(run, place, host.files), [service], op.signal);
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
