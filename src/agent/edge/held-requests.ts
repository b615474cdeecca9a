import { longestHoldSeconds } from "../../core/release/release-spec.ts";
import { expectAnswer } from "./haproxy-sockets.ts";
import type { RunCommand } from "./haproxy-sockets.ts";

/** Each keeps 16 KB of HAProxy's memory. */
const mostHeld = 1000;

const pauseMs = 20;

/** HAProxy puts together everything that it knows of itself when it is asked whether it is stopping. */
const looksBetween = 5;

/** Name of the variable that tells the script where the map of held apps is: HAProxy 2.6 hands it no arguments. */
export const heldMapVariable = "IKOMA_HELD";

/**
 * What HAProxy does with a request of an app that is held: nothing, for a while. The script looks into the map itself,
 * as HAProxy evaluates no rule twice. A worker that is stopping hears of no change any more, so it passes on at once: to
 * the one that took over. Requests are counted by their arrival: of a client that goes away the script hears nothing.
 */
export const holdScript = `-- Written by the IKOMA agent; changes made here are lost.
local held = Map.new(os.getenv("${heldMapVariable}"), Map._str)
local arrived, since = {}, {}

local function now()
  local time = core.now()
  return time.sec + time.usec / 1000000
end

core.register_action("ikoma_hold", { "http-req" }, function(txn)
  local app = txn:get_var("txn.app")
  local began = now()
  if began - (since[app] or 0) > ${longestHoldSeconds} then
    since[app], arrived[app] = began, 0
  end
  arrived[app] = arrived[app] + 1
  if arrived[app] > ${mostHeld} then return end
  local looks = 0
  while held:lookup(app) ~= nil and now() - began < ${longestHoldSeconds} do
    looks = looks + 1
    if looks % ${looksBetween} == 0 and tonumber(core.get_info().Stopping) == 1 then return end
    core.msleep(${pauseMs})
  end
end)
`;

/** Entries of the map of held apps. */
export function heldEntries(apps: Iterable<string>): [string, string][] {
  return [...apps].map((app) => [app, "1"]);
}

/** Has the running process hold an app's requests, or no longer. */
export async function setHeld(run: RunCommand, map: string, app: string, held: boolean): Promise<void> {
  const isNot = /not found/i;
  const known = /^$|not found/i;
  if (!held) {
    await expectAnswer(run, `del map ${map} ${app}`, known);
    return;
  }
  // Never taken out in between: whatever waits would be let go. Added twice, it would be there twice.
  const answer = await expectAnswer(run, `set map ${map} ${app} 1`, known);
  if (isNot.test(answer)) await expectAnswer(run, `add map ${map} ${app} 1`, /^$/);
}
