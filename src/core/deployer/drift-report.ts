import type { ReadReport } from "../engine/engine-run.ts";
import { partOfType } from "./deploy-plan.ts";

/** The resource that a line of the report is about. */
interface DriftSubject {
  /** Name of the host, as in `ikoma:hosts`. */
  readonly host: string;
  /** Undefined for what is no app's (a host's agent). */
  readonly app: string | undefined;
  /** `release`, `accessories`, `bundle`, `site`, `agent`. */
  readonly part: string;
  readonly name: string;
}

/** One thing that is not as it was applied. */
export interface DriftDifference extends DriftSubject {
  /** Property path in the resource, such as `services.web.image`; empty where the whole resource is gone. */
  readonly path: string;
  readonly message: string;
  /** What was applied, and what stands there: only where neither can be a secret. */
  readonly wanted?: string | undefined;
  readonly found?: string | undefined;
  /** What `ikoma deploy apply` is likely to do about it. */
  readonly repair: string;
}

/** A resource of which nothing is known: its host, or what is on it, did not answer. */
export interface DriftUnknown extends DriftSubject {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** `unknown`: nothing that was read differs, and not all could be read. */
export type DriftState = "clean" | "drifted" | "unknown";

/** What really runs of a stack, held against what was applied last. */
export interface DriftReport {
  readonly stack: string;
  readonly state: DriftState;
  /** How many resources were read. */
  readonly checked: number;
  readonly differences: readonly DriftDifference[];
  readonly unreadable: readonly DriftUnknown[];
}

/** Sorts what was read by host, app and part. */
export function driftReport(stack: string, reads: readonly ReadReport[]): DriftReport {
  const sorted = reads.toSorted((a, b) => compare(orderOf(a), orderOf(b)));
  const differences = sorted.flatMap(differencesOf);
  const unreadable = sorted.flatMap((read) => {
    if (read.found.state !== "unread") return [];
    const { code, message, hint } = read.found.error;
    return [{ ...subjectOf(read), code, message, hint }];
  });
  const unlessDrifted = unreadable.length > 0 ? "unknown" : "clean";
  return {
    stack,
    state: differences.length > 0 ? "drifted" : unlessDrifted,
    checked: reads.length - unreadable.length,
    differences,
    unreadable,
  };
}

function differencesOf(read: ReadReport): DriftDifference[] {
  const subject = subjectOf(read);
  switch (read.found.state) {
    case "unread":
      return [];
    case "gone":
      return [{ ...subject, path: "", message: "it is gone from the host", repair: likelyRepair(subject.part, "") }];
    case "present":
      return read.found.drift.map((drift) => ({
        ...subject,
        ...drift,
        repair: likelyRepair(subject.part, drift.path),
      }));
  }
}

function subjectOf({ urn, host, app }: ReadReport): DriftSubject {
  const [, , types = "", ...name] = urn.split("::");
  return { host, app, part: partOfType(types.split("$").at(-1) ?? types), name: name.join("::") };
}

function orderOf(read: ReadReport): string {
  return [read.host, read.app ?? "", subjectOf(read).part].join(" ");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

const tellEdge = "tells the edge again; nothing restarts";

/** What an apply does for the parts whose repair is the same whatever differs. */
const repairsOfParts: ReadonlyMap<string, string> = new Map([
  ["agent", "`ikoma host bootstrap` installs the agent again"],
  ["bundle", "pulls the image again"],
  ["migration-command", "runs it once"],
  ["migration", "runs what the database does not have; a file that was changed is refused"],
  ["backup", "takes a backup unless one is young enough, and puts the policy into force; nothing restarts"],
  ["site", tellEdge],
  [
    "supabase",
    "sets it as the settings say, or waits for parts that do not answer; what has to be mended elsewhere is refused",
  ],
]);

/** What an apply does about a drift, in a few words: by the part of the app and the property that differs. */
export function likelyRepair(part: string, path: string): string {
  const ofPart = repairsOfParts.get(part);
  if (path === "" && part !== "agent") return "makes it anew";
  if (ofPart !== undefined) return ofPart;
  const [field, name = "", setting] = path.split(".");
  if (field === "volumes")
    return `refuses: its data is gone; restore it, or give --recreate-volume ${name} for an empty one`;
  if (field === "bundle")
    return "adopts what runs if it is the same release, else deploys it beside that one (no downtime)";
  if (field !== "services") return tellEdge;
  if (setting === undefined || setting === "state") return `starts ${name} again; nothing else restarts`;
  if (setting === "networks") return `attaches ${name} again`;
  return part === "release"
    ? "deploys the release anew beside this one (no downtime)"
    : `recreates ${name} (short downtime); its volumes stay`;
}
