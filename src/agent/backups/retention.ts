import type { KeepRules } from "../../core/backup/backup-policy.ts";

/** Of a backup, what decides whether it stays. */
export interface RetainedBackup {
  readonly id: string;
  /** Of which of the app's databases. */
  readonly service: string;
  readonly takenAtMs: number;
  readonly isProven: boolean;
  /** Its proof was tried and failed. */
  readonly hasFailed?: boolean;
  readonly isPinned: boolean;
}

type Rule = keyof KeepRules;
type Calendar = (atMs: number) => string;

/**
 * The backups that may go (grandfather, father, son). Never: a pinned one; the newest proven one of a database; anything
 * as new as that one, but of those whose proof failed only what the rules would keep of proven ones: each try leaves one.
 * So nothing of use goes before something newer has been proven. What is older and not proven, or what no rule keeps, goes.
 */
export function expired(backups: readonly RetainedBackup[], keep: KeepRules, timeZone: string): string[] {
  const services = [...new Set(backups.map(({ service }) => service))];
  return services.flatMap((service) =>
    expiredOf(
      backups.filter((each) => each.service === service),
      keep,
      timeZone,
    ),
  );
}

function expiredOf(backups: readonly RetainedBackup[], keep: KeepRules, timeZone: string): string[] {
  const proven = backups.filter((each) => each.isProven).toSorted(newestFirst);
  const newestMs = proven[0]?.takenAtMs ?? -Infinity;
  const failed = backups.filter((each) => !each.isProven && each.hasFailed === true).toSorted(newestFirst);
  const kept = keptByRules(proven, keep, timeZone);
  const keptThough = keptByRules(failed, keep, timeZone);
  const mayGo = (each: RetainedBackup): boolean =>
    each.takenAtMs < newestMs ? !kept.has(each.id) : failed.includes(each) && !keptThough.has(each.id);
  return backups.filter((each) => !each.isPinned && mayGo(each)).map(({ id }) => id);
}

/** `proven`, or what is kept like these, from the newest to the oldest; each rule keeps the newest of each of its periods, for so many that have one. */
function keptByRules(proven: readonly RetainedBackup[], keep: KeepRules, timeZone: string): Set<string> {
  const kept = new Set(proven.slice(0, keep.last).map(({ id }) => id));
  for (const [rule, periodOf] of Object.entries(calendars(timeZone)) as [Exclude<Rule, "last">, Calendar][]) {
    const seen = new Set<string>();
    for (const { id, takenAtMs } of proven) {
      const period = periodOf(takenAtMs);
      if (seen.has(period) || seen.size >= keep[rule]) continue;
      seen.add(period);
      kept.add(id);
    }
  }
  return kept;
}

function newestFirst(a: RetainedBackup, b: RetainedBackup): number {
  return b.takenAtMs - a.takenAtMs || (a.id < b.id ? 1 : -1);
}

/** Names of the hour, day, week and month of a moment, as the calendar of the time zone has them. */
function calendars(timeZone: string): Record<Exclude<Rule, "last">, Calendar> {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
  });
  const partsOf = (atMs: number): Record<string, string> =>
    Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  const day: Calendar = (atMs) => {
    const { year = "", month = "", day: date = "" } = partsOf(atMs);
    return `${year}-${month}-${date}`;
  };
  return {
    // By the clock of the world: where the clock is put back, two hours have one name.
    hourly: (atMs) => String(Math.floor(atMs / 3_600_000)),
    daily: day,
    weekly: (atMs) => mondayOf(day(atMs)),
    monthly: (atMs) => day(atMs).slice(0, 7),
  };
}

function mondayOf(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - ((date.getUTCDay() + 6) % 7));
  return date.toISOString().slice(0, 10);
}
