import * as z from "zod";
import { expectedCommand, migrationCommandSpec } from "../../core/migrations/migration-command.ts";
import { appPart } from "./app-part.ts";

const inputs = migrationCommandSpec.extend({
  /** Values of the secrets that it uses, by name: to be masked in what it prints. */
  secrets: z.record(z.string(), z.string()).default({}),
  /** Of a signed bundle, the values of its other variables: the host fills them in itself, and compares. */
  env: z.record(z.string(), z.string()).optional(),
});

/** A program that migrates an app's database by itself: once for each bundle. */
export const migrationCommand = appPart({
  token: "ikoma:data:MigrationCommand",
  part: "migration",
  inputs,
  // How it is run is no reason to run it.
  silent: ["timeoutSeconds", "definition", "volumes", "secrets", "env"],
  apply: "migration.command",
  remove: "migration.remove",
  app: ({ app }) => app,
  operation: ({ secrets, env, ...spec }, { redact }) => ({
    spec,
    redact: [...redact, ...Object.values(secrets)],
    ...(env !== undefined && { origin: { bundle: spec.bundle, env, secrets } }),
  }),
  expected: (given) => expectedCommand.strip().parse(given),
});
