import { expect, test } from "@jest/globals";
import { PassThrough, Readable } from "node:stream";
import { givenValue } from "./given-value.ts";

/** Somebody at a terminal who answers this. */
function typing(...answers: (string | undefined)[]) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  return { stdin, ask: () => Promise.resolve(answers.shift()) };
}

test("a typed value is typed twice", async () => {
  expect(await givenValue("KEY", typing("one", "one"))).toBe("one");
  await expect(givenValue("KEY", typing("one", "two"))).rejects.toMatchObject({ code: "USAGE" });
  await expect(givenValue("KEY", typing(undefined))).rejects.toMatchObject({ code: "USAGE" });
});

const ask = (): Promise<undefined> => Promise.resolve(undefined);

test.each([
  ["one line break at its end is not its own", "a\nb\n\n", "a\nb\n"],
  ["nor is that of another system", "a\r\n", "a"],
])("of a piped value %s", async (_what, text, value) => {
  expect(await givenValue("KEY", { stdin: Readable.from([Buffer.from(text)]), ask })).toBe(value);
});

test.each([
  ["nothing", Buffer.from("\n")],
  ["a NUL", Buffer.from("a\0b")],
  ["no text", Buffer.from([0xff, 0xfe, 0x41])],
  ["more than a variable should hold", Buffer.alloc(70_000, "x")],
])("%s is no value", async (_what, bytes) => {
  await expect(givenValue("KEY", { stdin: Readable.from([bytes]), ask })).rejects.toMatchObject({ code: "USAGE" });
});
