import type * as z from "zod";
import { IkomaError } from "../../core/errors.ts";
import { expectedCommand } from "../../core/migrations/migration-command.ts";
import { expectedMigrations } from "../../core/migrations/migration-spec.ts";
import { accessoriesSpec, siteSpec } from "../../core/release/release-spec.ts";
import type { AccessoriesSpec, ReleaseSpec, SiteSpec } from "../../core/release/release-spec.ts";
import { readBackupPart } from "../backups/read-backups.ts";
import { backupPolicy } from "../../core/backup/backup-policy.ts";
import { labels } from "../engine/containers.ts";
import type { Container } from "../engine/containers.ts";
import { ownLabels } from "../engine/networks.ts";
import type { Host } from "../host.ts";
import { rebuiltNotice, unknownDigest } from "../ledger/found-deployments.ts";
import { accessoryContainers } from "../operations/accessories/accessory-project.ts";
import { releaseProject } from "../operations/compose-project.ts";
import { redactDeep, redactor } from "../../core/redaction.ts";
import { filled } from "../operations/release/kept-secrets.ts";
import { expectedRelease, operations } from "../protocol/operations.ts";
import { drift as driftSchema } from "../protocol/views.ts";
import type { PartView } from "../protocol/methods.ts";
import type { Part } from "../protocol/operations.ts";
import type { Drift, ServiceStatus } from "../protocol/views.ts";
import { inItsPlace } from "./composed-drift.ts";
import { readMigrations } from "./read-migrations.ts";
import { readRelease } from "./read-release.ts";
import { certificateDrift } from "./site-certificate.ts";
import { volumeDrift } from "./volume-drift.ts";

const stageInput = operations["bundle.stage"].input;

/** Reads a part of an app from the host and holds it against what the caller expects (null: nothing). */
export async function readPart(host: Host, app: string, part: Part, expected: unknown): Promise<PartView> {
  const view = await viewOf(host, app, part, expected);
  return { ...view, generation: host.parts.generation(app, part) };
}

function viewOf(host: Host, app: string, part: Part, expected: unknown): Promise<Omit<PartView, "generation">> {
  switch (part) {
    case "release":
      return expected === null ? readKnownRelease(host, app, undefined) : readExpectedRelease(host, app, expected);
    case "accessories":
      return readAccessories(host, app, expected === null ? undefined : accessoriesSpec.parse(expected));
    case "migration":
      return readMigrations(
        host,
        app,
        expected === null ? undefined : expectedMigrations.or(expectedCommand).parse(expected),
      );
    case "site":
      return readSite(host, app, expected === null ? undefined : siteSpec.parse(expected));
    case "bundle":
      return readBundle(host, app, expected === null ? undefined : stageInput.parse(expected));
    case "backup":
      return readBackupPart(host, app, expected === null ? undefined : backupPolicy.parse(expected));
  }
}

/** One that the ledger made up differs from every release that was asked for: it lacks what makes it that one. */
async function readKnownRelease(
  host: Host,
  app: string,
  expected: ReleaseSpec | undefined,
): Promise<Omit<PartView, "generation">> {
  const view = await readRelease(host, app, expected);
  if (expected === undefined || view.digest !== unknownDigest) return view;
  return { ...view, drift: [...view.drift, { path: "bundle", message: rebuiltNotice }] };
}

/** Where secrets are those of a deployment, the host alone knows them: it puts them in, and tells nothing of them. */
async function readExpectedRelease(host: Host, app: string, expected: unknown): Promise<Omit<PartView, "generation">> {
  const { secretsOf, ...asked } = expectedRelease.parse(expected);
  if (secretsOf === undefined) return readKnownRelease(host, app, asked);
  try {
    const { spec, used } = filled(host, asked, secretsOf);
    const view = await readKnownRelease(host, app, spec);
    const redact = redactor(Object.values(used));
    return { ...view, drift: view.drift.map((each) => driftSchema.parse(redactDeep(each, redact))) };
  } catch (error) {
    if (!(error instanceof IkomaError) || error.code !== "NO_ROLLBACK_TARGET") throw error;
    const view = await readKnownRelease(host, app, undefined);
    return { ...view, drift: [{ path: "secretsOf", message: error.message }] };
  }
}

/** The accessories' containers, volumes, and whether the release that serves can reach them. */
export async function readAccessories(
  host: Host,
  app: string,
  expected: AccessoriesSpec | undefined,
): Promise<Omit<PartView, "generation">> {
  const containers = await host.containers.list(ownLabels(app, "accessories"));
  const services = Object.fromEntries(containers.map((each) => [serviceOf(each), statusOf(each)]));
  const exists = containers.length > 0 || host.parts.get(app, "accessories", accessoriesSpec) !== undefined;
  if (expected === undefined) return { exists, drift: [], services };
  const drift = await Promise.all([
    servicesDrift(host, expected, containers),
    volumeDrift(host, app, expected.volumes),
  ]);
  return { exists, drift: drift.flat(), services };
}

async function servicesDrift(
  host: Host,
  expected: AccessoriesSpec,
  containers: readonly Container[],
): Promise<Drift[]> {
  const { app } = expected;
  const current = host.deployments.current(app);
  const network = current === undefined ? undefined : releaseProject(app, current.number);
  const all = await accessoryContainers(host, expected, containers);
  return all.flatMap((each): Drift[] => {
    const { service, container, drift } = each;
    const path = `services.${service}`;
    if (container === undefined)
      return [{ path, message: `${service}: the container is missing${inItsPlace([each])}` }];
    const found = drift.map((one) => ({ ...one, path: `${path}.${one.path}` }));
    const endpoint = network === undefined ? undefined : container.NetworkSettings.Networks[network];
    if (network === undefined || endpoint?.Aliases?.includes(service) === true) return found;
    const how = endpoint === undefined ? "not attached to" : "not found by its name on";
    const message = `${service}: the container is ${how} the release's network ${network}`;
    return [...found, { path: `${path}.networks`, message, wanted: network }];
  });
}

/** The edge's files are everybody's: each app tells of them, and the first that is applied puts them right. */
async function readSite(
  host: Host,
  app: string,
  expected: SiteSpec | undefined,
): Promise<Omit<PartView, "generation">> {
  const exists = host.parts.get(app, "site", siteSpec) !== undefined;
  if (expected === undefined || !exists) return { exists, drift: [], services: {} };
  const [{ domains }, altered, certificate] = await Promise.all([
    host.edge.served(app),
    host.edge.alteredFiles(),
    certificateDrift(host, app, expected.certificatePem),
  ]);
  const [served, wanted] = [domains, expected.domains].map(
    (each) => [...new Set(each)].sort().join(", ") || "every host name",
  );
  const files = altered.map((found) => ({
    path: "configuration",
    message: `${found} of the edge was altered on disk`,
    found,
  }));
  const drift: Drift[] = [...files, ...certificate];
  if (served !== wanted) drift.push({ path: "domains", message: `the edge serves ${served}`, wanted, found: served });
  return { exists, drift, services: {} };
}

type StageInput = z.infer<typeof stageInput>;

async function readBundle(
  host: Host,
  app: string,
  expected: StageInput | undefined,
): Promise<Omit<PartView, "generation">> {
  const staged = host.parts.get(app, "bundle", stageInput);
  const found = await Promise.all(
    (expected?.images ?? []).map(async (reference) => ({ reference, image: await host.images.inspect(reference) })),
  );
  const missing = found.filter((each) => each.image === undefined);
  const drift = missing.map(({ reference }) => ({
    path: "images",
    message: `the image ${reference} is not on the host`,
    wanted: reference,
  }));
  const forgotten = staged === undefined || expected === undefined ? [] : signatureDrift(staged, expected);
  return { exists: staged !== undefined, drift: [...drift, ...forgotten], services: {} };
}

/** A ledger that was lost knows of a bundle what runs of it, not who has signed it. */
function signatureDrift(staged: StageInput, { signatures = [] }: StageInput): Drift[] {
  const isKept = signatures.every((each) => staged.signatures?.includes(each) === true);
  return isKept ? [] : [{ path: "signatures", message: "the host does not keep the signatures of the bundle" }];
}

function serviceOf(container: Container): string {
  return container.Config.Labels?.[labels.service] ?? container.Name.slice(1);
}

function statusOf(container: Container): ServiceStatus {
  return {
    kind: "accessory",
    image: container.Config.Image,
    state: container.State.Status,
    healthy: container.State.Running && !container.State.Restarting,
    replicas: 1,
  };
}
