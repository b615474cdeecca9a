import { expect, test } from "@jest/globals";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { errorTable, IkomaError, isErrorCode, toIkomaError } from "./errors.ts";

const root = join(import.meta.dirname, "../..");
const codes = Object.keys(errorTable);

/** The text of all sources that match, without this file and the table itself. */
function sources(...patterns: readonly string[]): string {
  const own = ["src/core/errors.ts", "src/core/errors.test.ts"];
  const files = globSync([...patterns], { cwd: root }).filter((file) => !own.includes(file));
  return files.map((file) => readFileSync(join(root, file), "utf8")).join("\n");
}

/** Codes that a text quotes other than as the first argument of an error that it makes itself. */
function quotedIn(text: string, { butMade = false } = {}): Set<string> {
  const quotes = text.matchAll(/(new IkomaError\(\s*)?"([A-Z][A-Z_]+)"/g);
  return new Set([...quotes].filter(([, made]) => !butMade || made === undefined).map(([, , code = ""]) => code));
}

test("every code is one that something throws", () => {
  const product = sources("{src,components,stacks}/**/!(*.test).ts");
  expect(codes.filter((code) => !quotedIn(product).has(code))).toEqual([]);
});

test("every code is one that a test provokes and expects", () => {
  const expected = quotedIn(sources("{src,components,stacks,test}/**/*.test.ts"), { butMade: true });
  expect(codes.filter((code) => !expected.has(code))).toEqual([]);
});

test("each says in sentences what it means and what to do", () => {
  const unclear = Object.entries(errorTable).filter(
    ([, { meaning, hint }]) => !/^[A-Z`].*\.$/s.test(meaning) || !/^[A-Z`].*[.…)]$/s.test(hint),
  );
  expect(unclear.map(([code]) => code)).toEqual([]);
});

test("what was not foreseen is a defect of the program, with its cause kept", () => {
  const cause = new TypeError("x is undefined");
  expect(toIkomaError(cause)).toMatchObject({ code: "INTERNAL", exitCode: 255, message: "x is undefined", cause });
  expect(toIkomaError("odd")).toMatchObject({ code: "INTERNAL", message: "odd" });
  const foreseen = new IkomaError("USAGE", "which?");
  expect(toIkomaError(foreseen)).toBe(foreseen);
});

test("only a code of the table is one", () => {
  expect(["USAGE", "usage", "toString", "NOPE"].map(isErrorCode)).toEqual([true, false, false, false]);
});
