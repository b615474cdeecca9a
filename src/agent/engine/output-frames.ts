/** A piece of what a command wrote: 1 is standard output, 2 standard error. */
export interface OutputPiece {
  readonly stream: number;
  readonly bytes: Buffer;
}

const headerBytes = 8;

/**
 * Takes the engine's framing (8 bytes: stream, three zeros, length) off what comes, piece by piece: nothing of a long
 * output is held. Throws where the stream ends inside a frame.
 */
export async function* outputPieces(source: AsyncIterable<Buffer>): AsyncGenerator<OutputPiece> {
  let header = Buffer.alloc(0);
  let left = 0;
  for await (const chunk of source) {
    let rest = chunk;
    while (rest.length > 0) {
      if (left === 0) {
        const missing = headerBytes - header.length;
        header = Buffer.concat([header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (header.length < headerBytes) break;
        left = header.readUInt32BE(4);
        if (left === 0) header = Buffer.alloc(0);
        continue;
      }
      const bytes = rest.subarray(0, left);
      yield { stream: header.readUInt8(0), bytes };
      rest = rest.subarray(bytes.length);
      left -= bytes.length;
      if (left === 0) header = Buffer.alloc(0);
    }
  }
  if (left > 0 || header.length > 0) throw new Error("the engine's answer ended in the middle of a piece");
}
