import type * as z from "zod";
import type { BundleManifest } from "../../../core/bundle/manifest.ts";
import { IkomaError } from "../../../core/errors.ts";
import type { MigrationSpec } from "../../../core/migrations/migration-spec.ts";
import {
  accessoriesDifferences,
  commandDifferences,
  migrationDifferences,
  releaseDifferences,
} from "../../../core/release/match-bundle.ts";
import { imagesOf } from "../../../core/release/resolve-release.ts";
import { openProof, signHint, type BundleProof } from "../../../core/signing/bundle-proof.ts";
import { findSigners, type TrustedKeys } from "../../../core/signing/bundle-signature.ts";
import type { Host } from "../../host.ts";
import type { ReleaseInput } from "../../ledger/deployments.ts";
import type { OperationInput, operations } from "../../protocol/operations.ts";
import { imagesNeeded } from "../upkeep/unused-images.ts";
import { givenEnvironment } from "./given-environment.ts";

type StageInput = z.infer<(typeof operations)["bundle.stage"]["input"]>;
type Judging = Pick<Host, "settings" | "deployments" | "parts">;

/** Differences beyond these are not named. */
const mostNamed = 5;

const asItWasHint =
  "Just as it was it may come back unsigned: where only its secrets have changed since, `ikoma deploy rollback --with-secrets`.";

/** See `admitStage`. */
export function requireSignedStage(host: Judging, input: StageInput, isKnownEnough: boolean): void {
  const keys = trustedKeys(host, input.app);
  const { app, bundle, proofs = [] } = input;
  const isKnown = isKnownEnough && host.deployments.kept(app).some((each) => each.bundle === bundle);
  if (!isKnown) signedBundle(input, bundle, keys);
  const signed = proofs.flatMap((proof) => attempted(proof, keys));
  const allowed = new Set([...signed.flatMap((each) => imagesOf(each, each)), ...imagesNeeded(host, app)]);
  const foreign = input.images.find((image) => !allowed.has(image));
  if (foreign === undefined) return;
  throw new IkomaError("BUNDLE_SIGNATURE_INVALID", `The image ${foreign} is in no signed bundle of ${app}.`, {
    hint: signHint,
  });
}

/** See `admitRelease`. */
export function requireSignedRelease(host: Judging, staged: StageInput | undefined, asked: ReleaseInput): void {
  const { spec, source, secrets = {}, rollbackTo, secretsOf } = asked;
  const isWithoutSecrets = rollbackTo !== undefined && secretsOf === undefined;
  const manifest = signedBundle(
    staged ?? { app: spec.app },
    spec.bundle,
    trustedKeys(host, spec.app),
    isWithoutSecrets ? `${signHint} ${asItWasHint}` : signHint,
  );
  const found = releaseDifferences(manifest, spec, { env: givenEnvironment(source), secrets });
  refuseDifferences(spec.app, spec.bundle, found);
}

/** See `admitAccessories`. */
export function requireSignedAccessories(
  host: Judging,
  staged: StageInput | undefined,
  { spec, origin }: OperationInput<"accessories.apply">,
): void {
  const keys = trustedKeys(host, spec.app);
  if (origin === undefined) throw unsigned(`The long-lived services of ${spec.app} are of no signed bundle`, keys);
  const manifest = signedBundle(staged ?? { app: spec.app }, origin.bundle, keys);
  refuseDifferences(spec.app, origin.bundle, accessoriesDifferences(manifest, spec, origin));
}

/** See `admitMigrations`. */
export function requireSignedMigrations(host: Judging, staged: StageInput | undefined, spec: MigrationSpec): void {
  const manifest = signedBundle(staged ?? { app: spec.app }, spec.bundle, trustedKeys(host, spec.app));
  refuseDifferences(spec.app, spec.bundle, migrationDifferences(manifest, spec));
}

/** See `admitCommand`. */
export function requireSignedCommand(
  host: Judging,
  staged: StageInput | undefined,
  { spec, origin }: OperationInput<"migration.command">,
): void {
  const manifest = signedBundle(staged ?? { app: spec.app }, spec.bundle, trustedKeys(host, spec.app));
  refuseDifferences(spec.app, spec.bundle, commandDifferences(manifest, spec, origin ?? { env: {}, secrets: {} }));
}

/** Whether a signature that counts came along for the bundle. */
export function isCovered(host: Judging, { proofs = [] }: StageInput, bundle: string): boolean {
  const keys = host.settings.signatures?.keys ?? {};
  return proofs.some((each) => each.bundle === bundle && attempted(each, keys).length > 0);
}

/** Why the signatures of a bundle do not count; undefined where one does. */
export function signatureRemark({ bundle, proofs = [] }: StageInput, keys: TrustedKeys): string | undefined {
  const proof = proofs.find((each) => each.bundle === bundle);
  if (proof === undefined) return undefined;
  const { signers, refused } = findSigners(bundle, proof.signatures, keys);
  return signers.length > 0
    ? undefined
    : `no signature of the bundle counts (${refused.join("; ")}); none is asked for here`;
}

function trustedKeys({ settings }: Judging, app: string): TrustedKeys {
  const keys = settings.signatures?.keys ?? {};
  if (Object.keys(keys).length > 0) return keys;
  throw new IkomaError(
    "BUNDLE_SIGNATURE_INVALID",
    `${app} is to be signed, and this host knows no key to check that with.`,
    {
      hint: "Name the keys in `ikoma:setup.HOST.signatures.keys` of the stack `hosts`, run `ikoma host bootstrap HOST`, and try again.",
    },
  );
}

type Proven = Pick<StageInput, "app" | "proofs" | "signatureProblem">;

function signedBundle(staged: Proven, bundle: string, keys: TrustedKeys, hint = signHint): BundleManifest {
  const proof = staged.proofs?.find((each) => each.bundle === bundle);
  if (proof !== undefined) return openProof(bundle, proof, keys);
  const { app, signatureProblem } = staged;
  const why = signatureProblem === undefined ? "" : ` Its signatures could not be read: ${signatureProblem}`;
  throw unsigned(`The bundle ${bundle} of ${app} is not signed`, keys, { why, hint });
}

function attempted(proof: BundleProof, keys: TrustedKeys): BundleManifest[] {
  try {
    return [openProof(proof.bundle, proof, keys)];
  } catch {
    return [];
  }
}

function unsigned(what: string, keys: TrustedKeys, { why = "", hint = signHint } = {}): IkomaError {
  const trusted = Object.keys(keys).sort();
  const message = `${what}; this host asks for a signature by ${trusted.join(" or ")}.${why}`;
  return new IkomaError("BUNDLE_UNSIGNED", message, { hint, details: { trusted } });
}

function refuseDifferences(app: string, bundle: string, found: readonly string[]): void {
  if (found.length === 0) return;
  const named = found.slice(0, mostNamed).join(", ");
  const more = found.length > mostNamed ? ` and ${found.length - mostNamed} more` : "";
  throw new IkomaError(
    "BUNDLE_SIGNATURE_INVALID",
    `What is to run of ${app} is not what was signed as ${bundle}; it differs in ${named}${more}.`,
    {
      hint: "Deploy the signed bundle as it is; what an environment may change are the values of its variables.",
      details: { differences: found },
    },
  );
}
