import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import type { Deployment } from "../../agent/protocol/views.ts";
import { appConfig, type AppConfig } from "../config/schema.ts";
import { IkomaError } from "../errors.ts";
import { requireCompatible, type UnknownMigrations } from "../migrations/migration-plan.ts";
import { migrationKey } from "../migrations/migration-spec.ts";
import type { AppEdit } from "../project/deploy-stack-file.ts";

/** The part of an app's settings that belongs to a release, so that a rollback brings it back. */
const releaseSettings = appConfig
  .pick({ env: true, health: true, smoke: true, drainSeconds: true, strategy: true })
  .extend({ bundle: z.string() })
  .strip();
const releaseKeys = ["bundle", "env", "health", "smoke", "drainSeconds", "strategy"] as const;

/** What a rollback does to an app's settings, and what it says about it. */
export interface RollbackEdit {
  readonly edit: AppEdit;
  /** Settings that change, by name. */
  readonly restored: readonly string[];
  /** Variables that the deployment had other values of, and that stay as they are. */
  readonly left: readonly string[];
  /** Bundle that the accessories stay on. */
  readonly accessoriesBundle: string | undefined;
}

/** The secrets of a deployment, which its host keeps. */
export interface KeptSecrets {
  readonly deployment: number;
  readonly names: readonly string[];
  /** Those of them that have another value in what serves now. */
  readonly changed: readonly string[];
}

/**
 * The deployment to go back to. By default the newest good one before the current; where the current is a rollback
 * itself, before the deployment that it went back to: else a second rollback would bring back what the first one
 * took away. One that is on the withdrawn list has to be named. `to` names another by version (`v1.4.0`, `1.4.0`) or number (`#42`, `42`).
 *
 * @param history of the ledger, in any order
 * @throws NO_ROLLBACK_TARGET with the reason
 */
export function chooseRollbackTarget(history: readonly Deployment[], to: string | undefined): Deployment {
  const newestFirst = [...history].sort((a, b) => b.number - a.number);
  const current = newestFirst.find((deployment) => deployment.status === "current");
  if (to !== undefined) return namedTarget(newestFirst, current, to);
  if (current === undefined)
    throw new IkomaError("NO_ROLLBACK_TARGET", "There is nothing to go back from: no deployment serves.");
  const standsFor = originOf(newestFirst, current);
  const target = newestFirst.find(
    ({ status, number, digest, withdrawn }) =>
      status === "good" && withdrawn === undefined && number < standsFor.number && digest !== current.digest,
  );
  if (target !== undefined) return target;
  const what = `#${current.number} (${current.version})${standsFor === current ? "" : `, ${current.note ?? ""},`}`;
  throw new IkomaError(
    "NO_ROLLBACK_TARGET",
    `There is nothing to go back to: ${what} has no good deployment before it.`,
  );
}

/** The note of the deployment that a rollback makes, for people. */
export function rollbackNote({ number }: Deployment, withSecrets: boolean): string {
  return `rollback to #${number}${withSecrets ? " with its secrets" : ""}`;
}

/**
 * What a rollback with secrets brings back.
 *
 * @param listed what the host keeps of the target (`app.secrets`)
 * @param left names of those that stay as they are
 * @throws NO_ROLLBACK_TARGET where that is nothing
 */
export function keptSecrets(
  { number, version }: Deployment,
  listed: readonly { readonly name: string; readonly isCurrent: boolean }[],
  left: readonly string[] = [],
): KeptSecrets {
  const brought = listed.filter(({ name }) => !left.includes(name));
  if (brought.length === 0) {
    throw new IkomaError("NO_ROLLBACK_TARGET", `Its host keeps no secrets of #${number} (${version}).`, {
      hint: "It had none, or was deployed before hosts kept them by name. Go back without --with-secrets: they stay at their current values.",
    });
  }
  const names = brought.map(({ name }) => name).sort();
  const changed = brought.filter(({ isCurrent }) => !isCurrent).map(({ name }) => name);
  return { deployment: number, names, changed: changed.sort() };
}

/**
 * Migrations that were run since the deployment that is gone back to, each by its file: they stay.
 *
 * @param unknown what its host says that it does not know (`app.migrations`)
 * @throws MIGRATION_INCOMPATIBLE where it cannot live with one of them
 */
export function migrationsSince(target: string, unknown: UnknownMigrations): string[] {
  requireCompatible(target, unknown);
  return unknown.staying.map(migrationKey);
}

/** What a deployment is a rollback to, through any number of rollbacks; itself where it is none. */
function originOf(history: readonly Deployment[], deployment: Deployment): Deployment {
  const origin = history.find(({ number }) => number === deployment.rollbackTo && number < deployment.number);
  return origin === undefined ? deployment : originOf(history, origin);
}

function namedTarget(newestFirst: readonly Deployment[], current: Deployment | undefined, to: string): Deployment {
  const matching = newestFirst.filter((deployment) => isNamed(deployment, to));
  // A version may have been deployed several times; a good one is ready to run.
  const target = matching.find(({ status }) => status === "good") ?? matching[0];
  if (target === undefined) throw new IkomaError("NO_ROLLBACK_TARGET", `The ledger has no deployment ${to}.`);
  if (target.status === "good") return target;
  throw new IkomaError("NO_ROLLBACK_TARGET", `#${target.number} (${target.version}) ${whyNot(target, current)}.`);
}

function isNamed({ number, version }: Deployment, to: string): boolean {
  const given = /^#?(\d+)$/.exec(to)?.[1];
  if (given !== undefined && Number(given) === number) return true;
  return !to.startsWith("#") && version.replace(/^v/, "") === to.replace(/^v/, "");
}

function whyNot({ status, number }: Deployment, current: Deployment | undefined): string {
  switch (status) {
    case "current":
      return "is what serves now";
    case "pruned":
      return "is older than the deployments that are kept: its images are gone from the host";
    case "failed":
      return `failed when it was deployed${current === undefined || current.number < number ? "" : " and never served"}`;
    case "started":
      return "is still being deployed";
    case "good":
      return "is good";
  }
}

/** What a rollback has to know of the app as it is, besides its settings. */
export interface RollbackFacts {
  /** Whether there are accessories now: without them there is nothing to pin. */
  readonly hasAccessories: boolean;
  /** Variables that are no matter of the release alone: what accessories are made with, and what is a secret by now. */
  readonly staying?: readonly string[];
  /** What is to come back of the secrets; without it they stay as they are. */
  readonly secrets?: KeptSecrets | undefined;
}

/**
 * The settings that bring a deployment back. Its release settings replace the current ones; accessories stay pinned
 * to the bundle that they are from now; domains and volumes are not touched, secrets only if they are given.
 *
 * @param source what the ledger keeps of the deployment (`app.deployment`)
 * @throws NO_ROLLBACK_TARGET where that cannot be used
 */
export function rollbackEdit(
  app: string,
  current: AppConfig,
  source: unknown,
  { hasAccessories, staying = [], secrets }: RollbackFacts,
): RollbackEdit {
  const read = releaseSettings.safeParse(source);
  if (!read.success) {
    const hint = "Deploy its bundle again: `ikoma deploy apply --bundle REF`.";
    throw new IkomaError(
      "NO_ROLLBACK_TARGET",
      `The ledger's copy of its settings cannot be used: ${z.prettifyError(read.error)}`,
      { hint },
    );
  }
  const had = read.data.env;
  const wanted = { ...read.data, env: { ...without(had, staying), ...only(current.env, staying) } };
  const accessoriesBundle = current.accessoriesBundle ?? current.bundle;
  const isPinned = hasAccessories && accessoriesBundle !== undefined && accessoriesBundle !== wanted.bundle;
  const given = releaseKeys.filter((key) => wanted[key] !== undefined && !(key === "env" && isEmpty(wanted.env)));
  const set = {
    ...Object.fromEntries(given.map((key) => [key, wanted[key]])),
    ...(secrets !== undefined && { secretsOf: { deployment: secrets.deployment, names: secrets.names } }),
  };
  const remove = releaseKeys.filter((key) => !given.includes(key));
  return {
    edit: {
      app,
      set: isPinned ? { ...set, accessoriesBundle } : set,
      remove: isPinned ? remove : [...remove, "accessoriesBundle"],
    },
    restored: releaseKeys.flatMap((key) =>
      key === "env"
        ? changedVariables(current.env, wanted.env)
        : isDeepStrictEqual(current[key], wanted[key])
          ? []
          : [key],
    ),
    left: changedVariables(had, wanted.env),
    accessoriesBundle: hasAccessories ? accessoriesBundle : undefined,
  };
}

function only(env: AppConfig["env"], names: readonly string[]): AppConfig["env"] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => names.includes(name)));
}

function without(env: AppConfig["env"], names: readonly string[]): AppConfig["env"] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}

function changedVariables(
  current: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): string[] {
  const names = [...new Set([...Object.keys(current), ...Object.keys(wanted)])].sort();
  return names.filter((name) => current[name] !== wanted[name]).map((name) => `env.${name}`);
}

function isEmpty(map: Readonly<Record<string, string>>): boolean {
  return Object.keys(map).length === 0;
}
