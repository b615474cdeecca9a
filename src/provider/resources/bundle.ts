import { operations } from "../../agent/protocol/operations.ts";
import { appPart } from "./app-part.ts";

/** Stages a bundle on a host: its images are there and fit before anything is changed. */
export const bundle = appPart({
  token: "ikoma:vps:Bundle",
  part: "bundle",
  inputs: operations["bundle.stage"].input,
  // The digest tells of another document, the names of another signature.
  silent: ["redeploy", "proofs", "signatureProblem", "migrations"],
  apply: "bundle.stage",
  remove: "bundle.remove",
  app: (inputs) => inputs.app,
  operation: (inputs) => inputs,
  // What proves a signature has no part in a comparison, and may be long.
  expected: (inputs) => ({ ...inputs, proofs: undefined }),
});
