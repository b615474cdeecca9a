import * as z from "zod";
import { appName, digest, hookTimeoutSeconds, serviceName, serviceSpec, volumeSpec } from "../release/release-spec.ts";

/** A program of the app's image that migrates its database by itself, as a bundle has it. */
export const bundleMigrationCommand = z.strictObject({
  /** The service whose image, environment and files it is run with. */
  service: serviceName,
  command: z.array(z.string()).min(1),
  timeoutSeconds: hookTimeoutSeconds.default(600),
});

/** Which program of which bundle was, or is to be, run. */
export const expectedCommand = bundleMigrationCommand
  .pick({ service: true, command: true })
  .extend({ app: appName, bundle: digest });
export type ExpectedCommand = z.infer<typeof expectedCommand>;

/** What the operation is told: the same with the service as it is to be run. */
export const migrationCommandSpec = expectedCommand.extend({
  timeoutSeconds: hookTimeoutSeconds,
  definition: serviceSpec,
  volumes: z.record(z.string(), volumeSpec).default({}),
});
export type MigrationCommandSpec = z.infer<typeof migrationCommandSpec>;
