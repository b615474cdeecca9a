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

test("a file of the passphrase that cannot be read is named", () => {
  const text =
    "get stack secrets manager: unable to read PULUMI_CONFIG_PASSPHRASE_FILE: open /x: no such file or directory";
  expect(engineFailure([`error: ${text}`])).toMatchObject({
    code: "PASSPHRASE_MISSING",
    message: text,
    hint: "Correct PULUMI_CONFIG_PASSPHRASE_FILE, or set PULUMI_CONFIG_PASSPHRASE.",
  });
});

test("what is not known is told in the engine's own words", () => {
  expect(engineFailure(["error: one", "", "two"]).message).toBe("one\ntwo");
  expect(engineFailure([""]).message).toBe("The engine failed without saying why.");
});

test("a plugin that is not there is named, with the command that installs it", () => {
  const missing = engineFailure([
    "no resource plugin 'pulumi-resource-command' found in the workspace at version v1.2.1 or on your $PATH",
  ]);
  expect(missing).toMatchObject({
    code: "ENGINE_MISSING",
    message: "Pulumi's plugin command v1.2.1, which runs the steps of `prepare`, is not installed.",
    hint: "Install it where the engine runs: `pulumi plugin install resource command v1.2.1`.",
  });
  const unreachable = engineFailure([
    "update failed",
    "Could not automatically download and install resource plugin 'pulumi-resource-random' at version v4.21.2, install the plugin using `pulumi plugin install resource random v4.21.2`: error downloading provider random to file: failed all 5 attempts",
  ]);
  expect(unreachable).toMatchObject({
    code: "ENGINE_MISSING",
    message: "Pulumi's plugin random v4.21.2 is not installed, and could not be downloaded.",
  });
});
