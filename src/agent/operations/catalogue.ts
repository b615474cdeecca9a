import { siteSpec } from "../../core/release/release-spec.ts";
import { edgeApp, edgeView } from "../edge-from-ledger.ts";
import type { Host, OperationContext } from "../host.ts";
import type { ReleaseInput } from "../ledger/deployments.ts";
import { operations } from "../protocol/operations.ts";
import type { OperationInput, OperationKind, OperationResult, Part } from "../protocol/operations.ts";
import { backupOperations } from "../backups/backup-operations.ts";
import { applyAccessories, removeAccessories } from "./accessories/accessories.ts";
import { stageBundle } from "./bundle-stage.ts";
import { applyMigrations, forgetMigrations } from "./migration/migration-apply.ts";
import { runMigrationCommand } from "./migration/run-command.ts";
import { retireOthers } from "./upkeep/converge.ts";
import { purgeApp } from "./upkeep/purge.ts";
import { applyRelease } from "./release/release-apply.ts";
import { changeSite } from "./site.ts";
import { removeUnusedImages } from "./upkeep/unused-images.ts";

type Handler<K extends OperationKind> = (
  host: Host,
  input: OperationInput<K>,
  op: OperationContext,
) => Promise<OperationResult<K>>;

const handlers: { [K in OperationKind]: Handler<K> } = {
  "bundle.stage": stageBundle,
  "bundle.remove": async (host, { app }) => {
    host.parts.remove(app, "bundle");
    await removeUnusedImages(host, app);
    return {};
  },
  "accessories.apply": applyAccessories,
  "accessories.remove": removeAccessories,
  "migration.apply": applyMigrations,
  "migration.command": runMigrationCommand,
  "migration.remove": (host, input) => Promise.resolve(forgetMigrations(host, input)),
  "release.apply": applyRelease,
  "release.remove": async (host, { app }) => {
    host.deployments.retireCurrent(app);
    await host.edge.switchTo(edgeApp(host, app), () => edgeView(host));
    await retireOthers(host, app);
    return {};
  },
  "site.apply": (host, site) => changeSite(host, site.app, site),
  "site.remove": (host, { app }) => changeSite(host, app, undefined),
  ...backupOperations,
  "app.purge": purgeApp,
};

/** Checks the input against the operation's schema and runs it. */
export async function runOperation<K extends OperationKind>(
  host: Host,
  kind: K,
  input: unknown,
  op: OperationContext,
): Promise<OperationResult<K>> {
  const parsed = operations[kind].input.parse(input) as OperationInput<K>;
  return handlers[kind](host, parsed, op);
}

/** The app that an operation's input names. */
export function appOf(kind: OperationKind, input: unknown): string {
  const parsed = operations[kind].input.parse(input);
  return "spec" in parsed ? parsed.spec.app : parsed.app;
}

/** The part that an operation changes. */
export function partOf(kind: OperationKind): Part {
  if (kind === "app.purge") return "release";
  const [part] = kind.split(".") as [Part];
  return part;
}

/** Secret values that an operation works with: its input brings them along, or has the host take those that it keeps. */
export function secretsOf(host: Pick<Host, "deployments">, kind: OperationKind, input: unknown): string[] {
  const parsed = operations[kind].input.parse(input);
  const site = siteSpec.safeParse(parsed);
  if (site.success && site.data.certificatePem !== undefined) return [site.data.certificatePem];
  if (!("redact" in parsed)) return [];
  const kept = kind === "release.apply" ? keptSecrets(host, operations[kind].input.parse(input)) : [];
  return [...parsed.redact, ...kept];
}

function keptSecrets(host: Pick<Host, "deployments">, { spec, secretsOf: number }: ReleaseInput): string[] {
  return number === undefined ? [] : Object.values(host.deployments.secretsOf(spec.app, number) ?? {});
}
