import { expect, test } from "@jest/globals";
import { wantsColor } from "./colors.ts";

const terminal = { isTTY: true };
const pipe = {};

test.each([
  ["a terminal", terminal, {}, undefined, true],
  ["a pipe", pipe, {}, undefined, false],
  ["a terminal with NO_COLOR", terminal, { NO_COLOR: "1" }, undefined, false],
  ["a terminal with an empty NO_COLOR", terminal, { NO_COLOR: "" }, undefined, true],
  ["a pipe with FORCE_COLOR", pipe, { FORCE_COLOR: "1" }, undefined, true],
  ["a terminal with FORCE_COLOR=0", terminal, { FORCE_COLOR: "0" }, undefined, false],
  ["NO_COLOR against FORCE_COLOR", terminal, { NO_COLOR: "1", FORCE_COLOR: "1" }, undefined, false],
  ["a dumb terminal", terminal, { TERM: "dumb" }, undefined, false],
  ["--no-color against FORCE_COLOR", terminal, { FORCE_COLOR: "1" }, false, false],
])("%s", (_name, target, env, flag, expected) => {
  expect(wantsColor(target, env, flag)).toBe(expected);
});
