import { IkomaError } from "../../../core/errors.ts";
import { fillKeptSecrets } from "../../../core/release/kept-secrets.ts";
import { releaseSpec } from "../../../core/release/release-spec.ts";
import type { ReleaseSpec } from "../../../core/release/release-spec.ts";
import type { Host } from "../../host.ts";
import type { ReleaseInput } from "../../ledger/deployments.ts";

/**
 * The input with the secrets that a deployment had (`secretsOf`) in place of their markers. They are kept with the new
 * deployment too, so that it stands by itself when the old one is no longer kept.
 *
 * @throws IkomaError NO_ROLLBACK_TARGET where one of them is not kept
 */
export function withKeptSecrets(host: Pick<Host, "deployments">, input: ReleaseInput): ReleaseInput {
  const { secretsOf, secrets, spec: asked } = input;
  if (secretsOf === undefined) return input;
  const { spec, used } = filled(host, asked, secretsOf);
  return { ...input, spec, secrets: { ...secrets, ...used } };
}

/**
 * A specification as {@link withKeptSecrets} makes it, and the values that are in it now.
 *
 * @throws IkomaError NO_ROLLBACK_TARGET
 */
export function filled(
  host: Pick<Host, "deployments">,
  spec: ReleaseSpec,
  secretsOf: number,
): { spec: ReleaseSpec; used: Record<string, string> } {
  const kept = host.deployments.secretsOf(spec.app, secretsOf) ?? {};
  const used: Record<string, string> = {};
  const services = fillKeptSecrets(spec.services, (name) => {
    const value = kept[name];
    if (value === undefined) throw notKept(spec.app, secretsOf, name);
    used[name] = value;
    return value;
  });
  return { spec: releaseSpec.parse({ ...spec, services }), used };
}

function notKept(app: string, number: number, name: string): IkomaError {
  return new IkomaError(
    "NO_ROLLBACK_TARGET",
    `This host does not keep the secret ${name} that #${number} of ${app} had.`,
    {
      hint: `Take \`secretsOf\` of ${app} out of the stack's file: what \`ikoma:secrets\` says is used then.`,
      details: { secret: name, number },
    },
  );
}
