import { expect, test } from "@jest/globals";
import { isCi } from "./ci.ts";

test.each([
  [undefined, false],
  ["", false],
  ["false", false],
  ["0", false],
  ["true", true],
  ["1", true],
])("CI=%s is %s", (value, expected) => {
  expect(isCi({ CI: value })).toBe(expected);
});
