/** A way to bring the other version of examples/tiny-web to the machine, and the address at which it is then served. */
export interface Roller {
  /** As the report calls it. */
  readonly name: string;
  readonly url: string;
  /** Host header, where the way in asks for one. */
  readonly domain: string | undefined;
  /** Changes from the version that serves to the other one. Resolves to how long the command took, in ms. */
  readonly change: () => Promise<number>;
}

/** Gives the two values in turns, the second one first: the first is there already. */
export function alternating<T>(first: T, second: T): () => T {
  let isSecond = false;
  return () => {
    isSecond = !isSecond;
    return isSecond ? second : first;
  };
}
