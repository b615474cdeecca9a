import { expectAnswer } from "./haproxy-sockets.ts";
import type { RunCommand } from "./haproxy-sockets.ts";
import { parseMap } from "./runtime-state.ts";

const silent = /^$/;

/**
 * Replaces an app's entries in a map of the running process (keys that start with `<app>/`), all at once:
 * the map is written as a new version beside the one in use. Other apps' entries are taken over as they are.
 * Does nothing when they are so already.
 */
export async function replaceEntries(
  run: RunCommand,
  map: string,
  app: string,
  wanted: ReadonlyMap<string, string>,
): Promise<void> {
  const all = parseMap(await run(`show map ${map}`));
  const own = [...all].filter(([key]) => key.startsWith(`${app}/`));
  if (own.length === wanted.size && own.every(([key, value]) => wanted.get(key) === value)) return;
  const answer = await expectAnswer(run, `prepare map ${map}`, /^New version created: \d+$/);
  const version = `@${/\d+$/.exec(answer)?.[0] ?? ""}`;
  const others = [...all].filter(([key]) => !key.startsWith(`${app}/`));
  for (const [key, value] of [...others, ...wanted])
    await expectAnswer(run, `add map ${version} ${map} ${key} ${value}`, silent);
  await expectAnswer(run, `commit map ${version} ${map}`, silent);
}
