import type { Readable } from "node:stream";

const newline = 10;

/**
 * Gives each line of a stream, without its end. A line longer than `maxBytes` destroys the stream before it fills
 * the memory. Lines end with "\n" alone: what else `node:readline` takes for an end may stand inside JSON.
 */
export function readLines(stream: Readable, maxBytes: number, onLine: (line: string) => void): void {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  stream.on("data", (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(newline); at >= 0 && !stream.destroyed; at = chunk.indexOf(newline, from)) {
      const line = Buffer.concat([...pending, chunk.subarray(from, at)]);
      pending = [];
      pendingBytes = 0;
      from = at + 1;
      if (line.length > maxBytes) stream.destroy();
      else if (line.length > 0) onLine(line.toString("utf8"));
    }
    const rest = chunk.subarray(from);
    if (rest.length > 0) pending.push(rest);
    pendingBytes += rest.length;
    if (pendingBytes > maxBytes) stream.destroy();
  });
}
