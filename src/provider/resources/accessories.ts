import { accessoriesSpec } from "../../core/release/release-spec.ts";
import { appPart } from "./app-part.ts";

/** The long-lived services of an app. Deleting it stops containers; volumes stay. */
export const accessories = appPart({
  token: "ikoma:vps:Accessories",
  part: "accessories",
  inputs: accessoriesSpec,
  apply: "accessories.apply",
  remove: "accessories.remove",
  app: (inputs) => inputs.app,
  operation: (spec, run) => ({ spec, ...run }),
  expected: (inputs) => inputs,
  computed: (result) => ({ status: result.services }),
});
