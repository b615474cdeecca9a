import * as z from "zod";
import { appName } from "../release/release-spec.ts";

const shownService = z.strictObject({
  kind: z.string(),
  image: z.string(),
  state: z.string(),
  healthy: z.boolean(),
  replicas: z.number().int(),
});

const exportedApp = z.strictObject({
  /** Number of the deployment that serves, in the ledger of its host. */
  number: z.number().int().positive(),
  version: z.string(),
  /** Pinned reference of the bundle that it was made from. */
  bundle: z.string(),
  /** Keyed digest over the whole release; equal only for equal releases on one host. */
  digest: z.string(),
  host: z.string(),
  /** Missing for an app without a host name of its own. */
  url: z.url().optional(),
  services: z.record(z.string(), shownService),
});

/**
 * The status contract: what `pulumi stack output --json` gives of an environment and of the stack `hosts`, whoever ran
 * the last update. docs/reference/stack-outputs.md tells it to people. Fields may come; none goes or changes its meaning.
 */
export const stackOutputs = {
  environment: z.strictObject({
    apps: z.record(appName, exportedApp),
  }),
  bridge: z.strictObject({
    apps: z.record(appName, exportedApp),
    bridge: z.strictObject({
      /** Address of its API: `ikoma:setup.<host>.api.url` of the stack `hosts`. */
      api: z.url(),
      host: z.string(),
    }),
  }),
  hosts: z.strictObject({
    hosts: z.record(
      z.string(),
      z.strictObject({
        agentVersion: z.string(),
        engineVersion: z.string(),
        composeVersion: z.string(),
        edgeVersion: z.string(),
      }),
    ),
  }),
};
