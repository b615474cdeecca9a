/** Cuts a byte stream into lines; a line that outgrows the bound is refused before it fills the memory. */
export class LineSplitter {
  readonly #maxBytes: number;
  readonly #onLine: (line: string) => void;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number, onLine: (line: string) => void) {
    this.#maxBytes = maxBytes;
    this.#onLine = onLine;
  }

  /** False where a line was too long: nothing of what follows can be read. */
  push(chunk: Buffer): boolean {
    let rest = chunk;
    for (let at = rest.indexOf(10); at >= 0; at = rest.indexOf(10)) {
      if (!this.#keep(rest.subarray(0, at))) return false;
      const line = Buffer.concat(this.#parts).toString("utf8");
      this.#parts = [];
      this.#bytes = 0;
      rest = rest.subarray(at + 1);
      this.#onLine(line);
    }
    return this.#keep(rest);
  }

  #keep(part: Buffer): boolean {
    this.#bytes += part.length;
    if (this.#bytes > this.#maxBytes) return false;
    if (part.length > 0) this.#parts.push(part);
    return true;
  }
}
