import type { Host } from "../host.ts";
import type { Result } from "../protocol/methods.ts";

/** Names of the secrets that a deployment had, and whether what serves now has the same; never a value. */
export function readSecrets(
  host: Pick<Host, "deployments">,
  app: string,
  number: number,
): Result<"app.secrets">["secrets"] {
  const current = host.deployments.current(app);
  const now = current === undefined ? undefined : host.deployments.secretsOf(app, current.number);
  const kept = Object.entries(host.deployments.secretsOf(app, number) ?? {});
  return kept.map(([name, value]) => ({ name, isCurrent: now?.[name] === value }));
}
