import * as z from "zod";
import { describeTarget } from "../database/database-url.ts";
import { databaseTarget } from "../database/remote-database.ts";
import type { PlannedResource } from "../engine/plan.ts";
import { finding, migrationPhase } from "../migrations/migration-spec.ts";
import type { ResourceInputs } from "./deploy-plan.ts";

const plannedFile = z.looseObject({
  sha256: z.string(),
  phase: migrationPhase,
  findings: z.array(finding).catch([]),
});
const files = z.record(z.string(), plannedFile.or(z.string().transform(() => undefined))).catch({});

/** A file that is to be run, as a plan tells it. */
export interface PlannedMigration {
  readonly file: string;
  readonly phase: z.infer<typeof migrationPhase>;
  /** `12 drop-column: …`, with the reason where the file gives one. */
  readonly findings: readonly string[];
}

const elsewhere = z.looseObject({ remote: z.looseObject({ target: databaseTarget }) });

/** What becomes of a database's migrations. */
export interface PlannedMigrations {
  /** Where they are run, if not on an accessory: `postgres at db.example.com:5432 as postgres`. */
  readonly at?: string;
  readonly runs: readonly PlannedMigration[];
  /** Run before, and unknown to the bundle: nothing is ever undone. */
  readonly stays: readonly string[];
}

/** Told from what the state had and the program has; whether the database has a file already is seen when it is run. */
export function plannedMigrations({ operation }: PlannedResource, inputs: ResourceInputs): PlannedMigrations {
  const before = files.parse(inputs.old?.["files"] ?? {});
  const after = operation === "delete" ? {} : files.parse((inputs.new ?? inputs.old)?.["files"] ?? {});
  const runs = Object.entries(after).filter(([key, file]) => before[key]?.sha256 !== file?.sha256);
  const remote = operation === "delete" ? undefined : elsewhere.safeParse(inputs.new ?? inputs.old).data?.remote;
  return {
    ...(remote !== undefined && { at: describeTarget(remote.target) }),
    runs: runs.sort(byName).flatMap(([file, said]) => (said === undefined ? [] : [described(file, said)])),
    stays: Object.keys(before)
      .filter((key) => !Object.hasOwn(after, key))
      .sort(),
  };
}

function described(file: string, { phase, findings }: z.infer<typeof plannedFile>): PlannedMigration {
  return {
    file,
    phase,
    findings: findings.map(({ line, rule, message, allowed }) => {
      return `line ${line}, ${rule}: ${allowed === undefined ? message : `allowed, because ${allowed}`}`;
    }),
  };
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
