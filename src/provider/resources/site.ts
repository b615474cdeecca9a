import { siteSpec } from "../../core/release/release-spec.ts";
import { appPart } from "./app-part.ts";

/** Domains and certificates of an app on the edge. */
export const site = appPart({
  token: "ikoma:vps:Site",
  part: "site",
  inputs: siteSpec,
  apply: "site.apply",
  remove: "site.remove",
  app: (inputs) => inputs.app,
  operation: (inputs) => inputs,
  expected: (inputs) => inputs,
});
