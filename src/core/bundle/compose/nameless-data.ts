import type { ComposeService } from "./compose-model.ts";
import type { Findings } from "./findings.ts";
import { imageName } from "./image-name.ts";
import type { NormalisedService } from "./normalise.ts";

/** Servers whose images keep their data in a volume of their own; tools for them (`mongo-express`) have names alike. */
const databaseServer =
  /^(postgres|postgresql|postgis|pgvector|timescaledb(-ha)?|mysql(-server)?|mariadb|percona(-server)?|mongo)$/;

/**
 * Warns of databases whose data is nowhere with a name: it is in a volume that no new container finds again once the old
 * one was removed.
 */
export function warnOfNamelessData(
  services: Readonly<Record<string, ComposeService>>,
  normalised: ReadonlyMap<string, NormalisedService>,
  findings: Findings,
): void {
  for (const [name, { kind, image }] of normalised) {
    if (kind !== "accessory" || !databaseServer.test(imageName(image))) continue;
    const { volumes, tmpfs } = services[name] ?? {};
    const isNamed = (volumes ?? []).some(({ type, source }) => type === "tmpfs" || (source ?? "") !== "");
    if (isNamed || tmpfs !== undefined) continue;
    findings.warn(
      `services.${name}`,
      "its data is in a volume without a name, which is not found again once its container was removed. Mount a named volume.",
    );
  }
}
