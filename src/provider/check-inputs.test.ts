import { expect, test } from "@jest/globals";
import * as z from "zod";
import { releaseStrategy } from "../core/release/release-spec.ts";
import { inputProblems } from "./check-inputs.ts";
import { Secret, unknownValue } from "./wire/property-values.ts";

const schema = z.strictObject({ strategy: releaseStrategy, name: z.string() });

test("nothing is said of what is not known yet, nor of what hangs on it; all else is told", () => {
  const name = new Secret(unknownValue);
  expect(inputProblems(schema, { name, strategy: unknownValue })).toEqual([]);
  expect(inputProblems(schema, { name, strategy: { canary: unknownValue } })).toEqual([]);
  expect(inputProblems(schema, { name, strategy: { canary: "all" } })).toMatchObject([{ path: ["strategy"] }]);
  expect(inputProblems(schema, { name, strategy: "switch", nmae: 1 })).toMatchObject([
    { path: ["nmae"], message: 'unknown setting; did you mean "name"?' },
  ]);
});
