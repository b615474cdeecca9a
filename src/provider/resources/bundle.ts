import { operations } from "../../agent/protocol.ts";
import { appPart } from "./app-part.ts";

/** Stages a bundle on a host: its images are there and fit before anything is changed. */
export const bundle = appPart({
  token: "ikoma:vps:Bundle",
  part: "bundle",
  inputs: operations["bundle.stage"].input,
  silent: ["redeploy", "migrations"],
  apply: "bundle.stage",
  remove: "bundle.remove",
  app: (inputs) => inputs.app,
  operation: (inputs) => inputs,
  expected: (inputs) => inputs,
});
