import { weekdays } from "../config/time-zone.ts";

interface Field {
  readonly from: number;
  readonly to: number;
  readonly names: readonly string[];
}

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/** Minute, hour, day of the month, month, day of the week. */
const fields: readonly Field[] = [
  { from: 0, to: 59, names: [] },
  { from: 0, to: 23, names: [] },
  { from: 1, to: 31, names: [] },
  { from: 1, to: 12, names: months },
  { from: 0, to: 7, names: weekdays },
];

/**
 * The cron expression (five fields) that a schedule stands for: one itself, `hourly`, `daily HH:MM`, or
 * `weekly WEEKDAY HH:MM`. Undefined for a text that is none of these.
 */
export function cronOf(schedule: string): string | undefined {
  const text = schedule.trim().toLowerCase();
  if (text === "hourly") return "0 * * * *";
  const [, weekday, hour, minute] = /^(?:daily|weekly ([a-z]{3})[a-z]*) ([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hour !== undefined && minute !== undefined) {
    const day = weekday === undefined ? "*" : weekdays.findIndex((each) => each === weekday);
    return day === -1 ? undefined : `${Number(minute)} ${Number(hour)} * * ${day}`;
  }
  const given = text.split(/\s+/);
  const isCron = given.length === fields.length && fields.every((field, at) => isField(given[at] ?? "", field));
  return isCron ? given.join(" ") : undefined;
}

/** A comma-separated list of `*`, `n` or `n-m`, each with an optional step. */
function isField(text: string, field: Field): boolean {
  return text.split(",").every((part) => {
    const [, range = "", step] = /^([^/]+)(?:\/([1-9]\d*))?$/.exec(part) ?? [];
    if (step !== undefined && Number(step) > field.to) return false;
    if (range === "*") return true;
    const ends = range.split("-").map((each) => valueOf(each, field));
    const [from = Number.NaN, to = from] = ends;
    // `5/10` means one thing here and another there.
    if (step !== undefined && ends.length === 1) return false;
    return ends.length <= 2 && !ends.includes(undefined) && from <= to;
  });
}

function valueOf(text: string, { from, to, names }: Field): number | undefined {
  const named = names.indexOf(text);
  const value = named >= 0 ? named + from : /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN;
  return value >= from && value <= to ? value : undefined;
}
