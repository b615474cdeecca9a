import * as z from "zod";
import { accessoriesSpec, digest } from "../../core/release/release-spec.ts";
import { appPart } from "./app-part.ts";

const inputs = accessoriesSpec.extend({
  /** Values of the secrets that they use, by name: not for the host to keep, but to be masked in what they print. */
  secrets: z.record(z.string(), z.string()).default({}),
  /** The signed bundle that they are from; without it a host that asks for signatures takes no change. */
  bundle: digest.optional(),
  /** What the bundle's variables were filled with besides secrets. */
  env: z.record(z.string(), z.string()).default({}),
});

/** What the agent is told and compares with. */
function specOf({ app, services, volumes }: z.infer<typeof inputs>): z.infer<typeof accessoriesSpec> {
  return { app, services, volumes };
}

/** Only of a signed bundle: nobody else asks. */
function originOf({ bundle, env, secrets }: z.infer<typeof inputs>) {
  return bundle === undefined ? {} : { origin: { bundle, env, secrets } };
}

/** The long-lived services of an app. Deleting it stops containers; volumes stay. */
export const accessories = appPart({
  token: "ikoma:vps:Accessories",
  part: "accessories",
  inputs,
  // Whatever value differs shows where it is used.
  silent: ["secrets", "bundle", "env"],
  apply: "accessories.apply",
  remove: "accessories.remove",
  app: ({ app }) => app,
  operation: (given, run) => ({ spec: specOf(given), ...originOf(given), ...run }),
  expected: specOf,
  computed: (result) => ({ status: result.services }),
});
