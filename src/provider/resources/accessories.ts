import * as z from "zod";
import { accessoriesSpec } from "../../core/release/release-spec.ts";
import { appPart } from "./app-part.ts";

const inputs = accessoriesSpec.extend({
  /** Values of the secrets that they use, by name: not for the host to keep, but to be masked in what they print. */
  secrets: z.record(z.string(), z.string()).default({}),
});

/** What the agent is told and compares with. */
function specOf({ app, services, volumes }: z.infer<typeof inputs>): z.infer<typeof accessoriesSpec> {
  return { app, services, volumes };
}

/** The long-lived services of an app. Deleting it stops containers; volumes stay. */
export const accessories = appPart({
  token: "ikoma:vps:Accessories",
  part: "accessories",
  inputs,
  silent: ["secrets"],
  apply: "accessories.apply",
  remove: "accessories.remove",
  app: ({ app }) => app,
  operation: (given, run) => ({ spec: specOf(given), ...run }),
  expected: specOf,
  computed: (result) => ({ status: result.services }),
});
