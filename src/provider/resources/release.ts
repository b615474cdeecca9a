import * as z from "zod";
import { migrationVersion } from "../../core/migrations/migration-spec.ts";
import { releaseSource } from "../../agent/protocol/views.ts";
import { isNotedOnly, notedReleaseFields } from "../../core/release/noted-fields.ts";
import { bakePolicy, releaseSpec, releaseStrategy } from "../../core/release/release-spec.ts";
import { appPart } from "./app-part.ts";

/** A release and how to roll it out: the specification's fields, and what goes into the ledger with it. */
export const releaseInputs = releaseSpec.extend({
  /** The app's release configuration, for a rollback to it. Free of secrets. */
  source: releaseSource.default({}),
  /** For the history: why it was deployed. */
  note: z.string().optional(),
  /** Deploy although this bundle is on the withdrawn list. */
  redeploy: z.boolean().default(false),
  /** The deployment that this is a rollback to. */
  rollbackTo: z.number().int().positive().optional(),
  /** How many good deployments stay ready for a rollback. */
  keep: z.number().int().min(1).max(50).default(5),
  /** How it is watched after the switch. */
  bake: bakePolicy.prefault({}),
  /** How it takes the place of the release before. */
  strategy: releaseStrategy.optional(),
  /** Values of the secrets that it uses, by name. */
  secrets: z.record(z.string(), z.string()).default({}),
  /** The deployment whose secrets the host puts in place of the markers. */
  secretsOf: z.number().int().positive().optional(),
  /** Versions of the migrations that its bundle knows. */
  migrations: z.array(migrationVersion).optional(),
});

/** What serves an app: created and updated by a cut-over that never leaves the app between two releases. */
export const release = appPart({
  token: "ikoma:vps:Release",
  part: "release",
  inputs: releaseInputs,
  silent: notedReleaseFields,
  apply: "release.apply",
  remove: "release.remove",
  app: (inputs) => inputs.app,
  operation: (
    { source, note, redeploy, rollbackTo, keep, bake, strategy, secrets, secretsOf, migrations, ...spec },
    run,
  ) => ({
    spec,
    source,
    ...(note !== undefined && { note }),
    redeploy,
    ...(rollbackTo !== undefined && { rollbackTo }),
    keep,
    bake,
    ...(strategy !== undefined && { strategy }),
    // Only where there are some: an older agent does not know them.
    ...(Object.keys(secrets).length > 0 && { secrets }),
    ...(secretsOf !== undefined && { secretsOf }),
    ...(migrations !== undefined && { migrations }),
    ...run,
  }),
  expected: (inputs) => Object.fromEntries(Object.entries(inputs).filter(([name]) => !isNotedOnly(name))),
  computed: ({ number, digest, services }) => ({ number, digest, status: services }),
});
