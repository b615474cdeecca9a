import * as z from "zod";
import { IkomaError } from "../errors.ts";

/** What the provider says of each resource that it did not look at; plans know it by this text. */
export const driftUnknown = "drift unknown: the provider is offline and did not look at the host";

/** `ikoma:offline` in a stack's file, where `pulumi config set` writes a text. */
export const offlineSetting = z.union([z.boolean(), z.stringbool()]).default(false);

/** IKOMA_OFFLINE: for a preview in a place that cannot reach the hosts. */
export function isOffline(environment: NodeJS.ProcessEnv): boolean {
  return z.stringbool().catch(false).parse(environment["IKOMA_OFFLINE"]);
}

/** Why nothing is changed offline, not even where nothing seems to differ: what really runs is not known. */
export function offlineRefusal(): IkomaError {
  return new IkomaError("AGENT_OFFLINE", "Offline nothing is changed: what runs on the hosts is not known.", {
    hint: "Take `ikoma:offline` (or IKOMA_OFFLINE) away to change a host; a plan works without.",
  });
}
