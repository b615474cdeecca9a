/** Programs that check signatures at the same time. */
const atOnce = 8;

/** `Promise.all` over a few items at a time, in order. */
export async function mapSomeAtOnce<Item, Result>(
  items: readonly Item[],
  map: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += atOnce) {
    const some = items.slice(from, from + atOnce);
    results.push(...(await Promise.all(some.map((item, index) => map(item, from + index)))));
  }
  return results;
}
