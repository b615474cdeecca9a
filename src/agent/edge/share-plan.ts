import { backendName } from "./edge-names.ts";
import type { EdgeServer } from "./edge.ts";
import { isChecked } from "./haproxy-config.ts";
import type { RuntimeServer } from "./runtime-state.ts";
import { addServer, serverPath, setChecked, setState, setWeight } from "./switch-plan.ts";
import type { EdgeCommand } from "./switch-plan.ts";

/** HAProxy's largest weight. */
const largestWeight = 256;

/** What has to be said to HAProxy so that newcomers get their share, in this order, and who they are. */
export interface SharePlan {
  commands: EdgeCommand[];
  /** Names of the newcomers that get requests; those of a backend in which nobody serves get none. */
  sharing: string[];
}

/**
 * Weights are set before a newcomer gets its first request, and its own before those of the others, so that it never has
 * more than what was asked for now or before.
 */
export function planShare(
  app: string,
  now: readonly RuntimeServer[],
  newcomers: readonly EdgeServer[],
  percent: number,
): SharePlan {
  const plan: SharePlan = { commands: [], sharing: [] };
  for (const backend of new Set(newcomers.map((each) => backendName(app, each)))) {
    const joining = newcomers.filter((each) => backendName(app, each) === backend);
    const names = new Set(joining.map(({ name }) => name));
    const serving = now.filter((each) => each.backend === backend && each.state === "ready" && !names.has(each.name));
    if (serving.length === 0) continue;
    const known = now.filter((each) => each.backend === backend && names.has(each.name));
    const [theirs, own] = weightsFor(percent, serving.length, joining.length);
    const weighServing = serving.map((each) => setWeight(`${backend}/${each.name}`, theirs));
    const isFirst = known.every((each) => each.state !== "ready");
    plan.commands.push(...(isFirst ? weighServing : []));
    plan.commands.push(...joining.flatMap((each) => join(app, each, joining, known, own)));
    plan.commands.push(...(isFirst ? [] : weighServing));
    plan.sharing.push(...names);
  }
  return { ...plan, sharing: [...new Set(plan.sharing)] };
}

function join(
  app: string,
  server: EdgeServer,
  joining: readonly EdgeServer[],
  known: readonly RuntimeServer[],
  weight: number,
): EdgeCommand[] {
  const path = serverPath(app, server);
  const found = known.find(({ name }) => name === server.name);
  const checked = isChecked(joining);
  return [
    ...(found === undefined ? [addServer(path, server, checked)] : []),
    setWeight(path, weight),
    ...(found?.state === "ready" ? [] : [setState(path, "ready")]),
    ...(checked && found?.checked !== true ? setChecked(path, true) : []),
  ];
}

/** The weight of each server that serves and of each newcomer, as large as they can be, for the best resolution. */
function weightsFor(percent: number, serving: number, newcomers: number): [number, number] {
  const shares = [(100 - percent) / serving, percent / newcomers] as const;
  const scale = largestWeight / Math.max(...shares);
  const [theirs, own] = shares.map((each) => Math.max(1, Math.round(each * scale)));
  return [theirs ?? 1, own ?? 1];
}
