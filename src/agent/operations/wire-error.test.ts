import { expect, test } from "@jest/globals";
import { IkomaError } from "../../core/errors.ts";
import { redactor } from "../../core/redaction.ts";
import { toWire } from "./wire-error.ts";

test("an error travels without the secrets of its message, hint and details", () => {
  const error = new IkomaError("RELEASE_CRASHED", "last line: key=hunter22", {
    hint: "try hunter22",
    details: { log: ["hunter22"], outOfMemory: true, probe: undefined },
  });
  expect(toWire(error, redactor(["hunter22", "true"]))).toEqual({
    code: "RELEASE_CRASHED",
    message: "last line: key=[secret]",
    hint: "try [secret]",
    details: { log: ["[secret]"], outOfMemory: true },
  });
});
