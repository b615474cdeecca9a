import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { frame } from "../../../test/doubles/host/engine.ts";
import { outputPieces } from "./output-frames.ts";

// eslint-disable-next-line @typescript-eslint/require-await -- what is read has to be asynchronous
async function* inPieces(bytes: Buffer, cuts: readonly number[]): AsyncGenerator<Buffer> {
  let from = 0;
  for (const cut of [...cuts.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
}

async function read(source: AsyncIterable<Buffer>): Promise<[string, string]> {
  const texts: [string, string] = ["", ""];
  for await (const { stream, bytes } of outputPieces(source)) texts[stream === 2 ? 1 : 0] += bytes.toString("latin1");
  return texts;
}

const someFrames = fc.array(
  fc.tuple(fc.constantFrom(1 as const, 2 as const), fc.string({ unit: "binary-ascii", maxLength: 40 })),
);

test("however the engine's answer is cut into pieces, both outputs come whole", async () => {
  await fc.assert(
    fc.asyncProperty(someFrames, fc.array(fc.nat(500), { maxLength: 9 }), async (frames, cuts) => {
      const bytes = Buffer.concat(frames.map(([stream, text]) => frame(stream, text)));
      const wanted = ([1, 2] as const).map((wantedStream) =>
        frames.map(([stream, text]) => (stream === wantedStream ? text : "")).join(""),
      );
      expect(await read(inPieces(bytes, cuts))).toEqual(wanted);
    }),
  );
});

test("one that ends in the middle is not taken for whole", async () => {
  const bytes = frame(1, "a dump of many bytes");
  for (const length of [3, 8, bytes.length - 1])
    await expect(read(inPieces(bytes.subarray(0, length), []))).rejects.toThrow("in the middle");
});
