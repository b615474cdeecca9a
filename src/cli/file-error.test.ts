import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, test } from "@jest/globals";
import { IkomaError } from "../core/errors.ts";
import { fileError } from "./file-error.ts";

function thrownBy(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

test("a file that cannot be read is told as the system says it", () => {
  const error = fileError(thrownBy(() => readFileSync(tmpdir())));
  expect(error).toMatchObject({ code: "FILE_REFUSED", message: "EISDIR: illegal operation on a directory, read" });
});

test.each([
  ["a program that may not be run", spawnSync(import.meta.filename).error],
  ["what was foreseen", new IkomaError("USAGE", "EACCES: permission denied, open 'x'")],
  ["what is no error of the system", new TypeError("x is undefined")],
])("%s is no such file", (_, thrown) => {
  expect(thrown).toBeDefined();
  expect(fileError(thrown)).toBeUndefined();
});
