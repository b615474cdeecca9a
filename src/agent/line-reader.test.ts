import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { PassThrough } from "node:stream";
import { readLines } from "./line-reader.ts";

function reading(maxBytes: number): { stream: PassThrough; lines: string[] } {
  const stream = new PassThrough();
  const lines: string[] = [];
  readLines(stream, maxBytes, (line) => lines.push(line));
  return { stream, lines };
}

async function flushed(stream: PassThrough): Promise<void> {
  await new Promise((done) => setImmediate(done));
  if (!stream.destroyed) await new Promise((done) => setImmediate(done));
}

test("lines come as they were written, however their bytes are cut into chunks", async () => {
  const line = fc.string({ unit: fc.constantFrom("a", "é", "\u2028", "\r", "🚢", '"'), minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
      async (wanted, sizes) => {
        const { stream, lines } = reading(1000);
        const bytes = Buffer.from(wanted.map((each) => `${each}\n`).join(""));
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const size = sizes[turn % sizes.length] ?? 1;
          stream.write(bytes.subarray(at, at + size));
          at += size;
        }
        await flushed(stream);
        expect(lines).toEqual(wanted);
      },
    ),
    { numRuns: 50 },
  );
});

test("empty lines are nothing, and what has no end yet is not given", async () => {
  const { stream, lines } = reading(10);
  stream.write("\n\na\n\nb");
  await flushed(stream);
  expect(lines).toEqual(["a"]);
});

test.each([
  ["that does not end", "x".repeat(11)],
  ["that ends", `${"x".repeat(11)}\ny\n`],
])("a line too long %s ends the stream, and nothing behind it is given", async (_name, text) => {
  const { stream, lines } = reading(10);
  stream.write("first\n");
  stream.write(text);
  await flushed(stream);
  expect(stream.destroyed).toBe(true);
  expect(lines).toEqual(["first"]);
});

test("many lines that are long only together are fine", async () => {
  const { stream, lines } = reading(10);
  stream.write("12345678\n".repeat(50));
  await flushed(stream);
  expect(stream.destroyed).toBe(false);
  expect(lines).toHaveLength(50);
});
