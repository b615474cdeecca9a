import { longestHoldSeconds } from "../release/release-spec.ts";
import { isNewDeployment } from "./deploy-plan.ts";
import type { DeployPlan, DeployPlanEntry } from "./deploy-plan.ts";

/**
 * What a plan means for data and secrets, where that is not what one might expect: volumes are never deleted, moved or
 * renamed by a deploy; secrets that a rollback brought back stay until a bundle is deployed.
 */
export function planNotes({ entries }: Pick<DeployPlan, "entries">, nowMs = Date.now()): string[] {
  const accessories = entries.filter(({ part }) => part === "accessories");
  const releases = entries.filter(({ part }) => part === "release");
  return [
    ...accessories.filter(isDone("delete")).map(({ app = "" }) => stays(app)),
    ...accessories.filter(isDone("replace")).map(({ app = "" }) => moved(app)),
    ...[...accessories, ...releases].filter(isDone("update")).flatMap(volumesNote),
    ...releases
      .filter(isDone("create"))
      .flatMap(({ app: next = "" }) => releases.filter(isDone("delete")).map(({ app = "" }) => renamed(app, next))),
    ...releases.filter((entry) => entry.strategy === "replace" && isNewDeployment(entry)).map(awayNote),
    ...releases.flatMap(secretsNote),
    ...entries.flatMap(migrationsNote),
    ...entries.flatMap((entry) => backupNote(entry, nowMs)),
  ];
}

function isDone(operation: DeployPlanEntry["operation"]): (entry: DeployPlanEntry) => boolean {
  return (entry) => entry.operation === operation;
}

/** A volume is known by its name: one of another name is another one. */
function volumesNote({ app = "", changes }: DeployPlanEntry): string[] {
  const found = changes.flatMap(({ path, kind }) => {
    const [, plain, quoted, rest = ""] = /^volumes(?:\.([^.[]+)|\["(.*?)"\])(.*)$/.exec(path) ?? [];
    const name = plain ?? quoted;
    return name === undefined ? [] : [{ name, kind, rest }];
  });
  const named = (wanted: string): string =>
    found.flatMap(({ name, kind, rest }) => (rest === "" && kind === wanted ? [name] : [])).join(", ");
  const keep = "If that is not meant, keep the old name.";
  const [gone, fresh] = [named("delete"), named("add")];
  const swapped =
    gone === "" || fresh === ""
      ? []
      : [
          `${app} no longer uses the volume ${gone}: it stays, with its data, and ${fresh} begins empty where there is none of that name. ${keep}`,
        ];
  const others = found
    .filter(({ rest }) => rest === ".name")
    .map(
      ({ name }) =>
        `${app} no longer uses the volume that ${name} was: it stays, with its data, and the other one begins empty where there is none of that name. ${keep}`,
    );
  return [...swapped, ...others];
}

function secretsNote({ app = "", secretsOf, changes }: DeployPlanEntry): string[] {
  if (secretsOf !== undefined)
    return [
      `The secrets of ${app} are those of #${secretsOf}, which its host keeps; what \`ikoma:secrets\` says is used again after \`ikoma deploy apply --bundle REF\`.`,
    ];
  const left = changes.find(({ path, kind }) => path === "secretsOf" && kind === "delete");
  return left === undefined
    ? []
    : [`The secrets of ${app} are what \`ikoma:secrets\` says, no longer those of #${String(left.old)}.`];
}

function awayNote({ app = "" }: DeployPlanEntry): string {
  return `${app} is away for a moment while it is deployed (\`strategy: replace\`): requests wait at the edge for up to ${longestHoldSeconds} s, later ones get 503.`;
}

function migrationsNote({ app = "", migrations }: DeployPlanEntry): string[] {
  if (migrations === undefined || migrations.stays.length === 0) return [];
  return [
    `The database of ${app} keeps what it was given by ${migrations.stays.join(", ")}: nothing is run backwards.`,
  ];
}

function backupNote({ app = "", backup, operation }: DeployPlanEntry, nowMs: number): string[] {
  if (backup === undefined || operation === "same") return [];
  const { takenAtMs, maxAgeMinutes } = backup;
  const ageMinutes = takenAtMs === undefined ? undefined : Math.floor((nowMs - takenAtMs) / 60_000);
  const has =
    ageMinutes === undefined
      ? `The host has no verified backup of the database of ${app}`
      : `The newest verified backup of the database of ${app} is ${ageMinutes} min old`;
  const isYoung = ageMinutes !== undefined && ageMinutes >= 0 && ageMinutes < maxAgeMinutes;
  return [isYoung ? `${has}: the deploy goes on with it.` : `${has}: one is taken and verified before the release.`];
}

function stays(app: string): string {
  return `The volumes of ${app} stay on its host, with their data; \`ikoma app purge ${app}\` deletes them.`;
}

function moved(app: string): string {
  return `The data of ${app} does not move along: on the new host its volumes begin empty, the old ones stay where they are.`;
}

function renamed(app: string, next: string): string {
  return `If ${next} is ${app} renamed: to its host it is another app, which begins with empty volumes, while ${app} stops. Keep the name to keep data and service.`;
}
