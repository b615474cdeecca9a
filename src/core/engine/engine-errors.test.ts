import { expect, test } from "@jest/globals";
import { engineFailure } from "./engine-errors.ts";

test.each([
  ["error: the stack is currently locked by 1 lock(s). Either wait", "STACK_LOCKED"],
  ["error: no stack named 'prod' found", "STACK_NOT_FOUND"],
  [
    "error: getting secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE",
    "PASSPHRASE_MISSING",
  ],
  ["error: incorrect passphrase", "PASSPHRASE_MISSING"],
  ["error: no Pulumi.yaml project file found (searching upwards from /x).", "CONFIG_MISSING"],
  ["ikoma:vps:Release resource 'shop' has a problem: servces: unknown setting", "CONFIG_INVALID"],
  ["something never seen", "ENGINE_FAILED"],
])("%s is %s", (text, code) => {
  expect(engineFailure([text])).toMatchObject({ code });
});

test("what is not known is told in the engine's own words", () => {
  expect(engineFailure(["error: one", "", "two"]).message).toBe("one\ntwo");
  expect(engineFailure([""]).message).toBe("The engine failed without saying why.");
});
