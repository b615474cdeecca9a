import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { LineSplitter } from "./line-splitter.ts";

function split(chunks: readonly Buffer[], maxBytes = 1_000): { lines: string[]; isWhole: boolean } {
  const lines: string[] = [];
  const splitter = new LineSplitter(maxBytes, (line) => lines.push(line));
  return { isWhole: chunks.every((chunk) => splitter.push(chunk)), lines };
}

test("gives the same lines however the bytes are cut, in the middle of a character as well", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 40 }).filter((text) => !text.includes("\n"));
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(2_000)), (lines, cuts) => {
      const bytes = Buffer.from(lines.map((each) => `${each}\n`).join(""));
      const edges = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
      const chunks = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
      expect(split(chunks, 10_000).lines).toEqual(lines);
    }),
  );
});

test("refuses a line beyond the bound before it has come to its end", () => {
  expect(split([Buffer.from("123456\n"), Buffer.from("1234567")], 6)).toEqual({ isWhole: false, lines: ["123456"] });
  expect(split([Buffer.from("1234"), Buffer.from("567")], 6).isWhole).toBe(false);
});
