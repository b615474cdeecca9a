import { randomBytes } from "node:crypto";

/** A secret that is planted in one place, to be looked for in all others. */
export interface Canary {
  /** What it stands for. */
  readonly name: string;
  readonly value: string;
  /** What of it is left in a text, whatever was done to that: any of these is a sighting. */
  readonly needles: readonly string[];
}

/**
 * A canary of a value of its own. Letters and digits in the middle look the same in a URL, in JSON, quoted for a shell
 * or for compose; the needles know them in base64 as well, alone or inside a longer text, and in hexadecimal.
 *
 * @param around makes the value of the letters and digits
 */
export function plant(name: string, around: (core: string) => string = (core) => core): Canary {
  const core = `CANARY${randomBytes(8).toString("hex")}`;
  return { name, value: around(core), needles: [core, Buffer.from(core).toString("hex"), ...inBase64(core)] };
}

/** Bytes before it shift what a text becomes in base64, in three ways; what stands around it alters its ends. */
function inBase64(core: string): string[] {
  return [0, 1, 2].map((shift) =>
    Buffer.from(" ".repeat(shift) + core)
      .toString("base64")
      .replaceAll("=", "")
      .slice(4, -2),
  );
}

/** A canary that was seen. */
export interface Sighting {
  readonly canary: string;
  /** `file`, `process`, `container` or `output`, and which. */
  readonly where: string;
}

/** The canaries that are in a text. */
export function sightingsIn(where: string, text: string, canaries: readonly Canary[]): Sighting[] {
  return canaries
    .filter(({ needles }) => needles.some((needle) => text.includes(needle)))
    .map(({ name }) => ({ canary: name, where }));
}

/** Each once, in order. */
export function distinct(sightings: readonly Sighting[]): Sighting[] {
  const byText = new Map(sightings.map((each) => [`${each.where} ${each.canary}`, each]));
  return [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
