import { weekdays } from "../config/time-zone.ts";
import type { DeployWindow } from "./policy-config.ts";

/** Whether changes may be made at a moment. */
export type WindowState =
  | { readonly isOpen: true }
  | {
      readonly isOpen: false;
      /** What is in the way, for people. */
      readonly reason: string;
      /** When changes may be made again, Unix time in ms; undefined if not within `searchedDays`. */
      readonly opensAtMs: number | undefined;
    };

/** How far ahead the next opening is looked for. */
export const searchedDays = 32;

const minuteMs = 60_000;
const dayMinutes = 24 * 60;

/**
 * Without windows changes may be made at any time; with windows that allow, only inside one of them; a window that
 * denies wins. (Argo CD's rules for sync windows.)
 *
 * @param app the app that is changed; a window of other apps does not count. Undefined for what is no app's
 */
export function windowState(windows: readonly DeployWindow[], nowMs: number, app?: string): WindowState {
  const own = windows.filter(({ apps }) => apps === undefined || (app !== undefined && apps.includes(app)));
  const closed = whyClosed(own, nowMs);
  return closed === undefined
    ? { isOpen: true }
    : { isOpen: false, reason: closed, opensAtMs: nextOpening(own, nowMs) };
}

/** `Mon 30 Nov 2026, 09:00 UTC`, for people. */
export function describeMoment(ms: number): string {
  const text = new Intl.DateTimeFormat("en-GB", {
    timeZone: "UTC",
    ...{ weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
  }).format(ms);
  return `${text} UTC`;
}

function whyClosed(windows: readonly DeployWindow[], atMs: number): string | undefined {
  const denying = windows.find((each) => each.kind === "deny" && contains(each, atMs));
  if (denying !== undefined) return `no changes ${describeWindow(denying)}`;
  const allowing = windows.filter(({ kind }) => kind === "allow");
  if (allowing.length === 0 || allowing.some((each) => contains(each, atMs))) return undefined;
  return `changes only ${allowing.map(describeWindow).join(", or ")}`;
}

function describeWindow({ days, from, to, timeZone, dates, reason }: DeployWindow): string {
  const isWholeDay = from === "00:00" && to === "24:00";
  const parts = [
    days?.join(" "),
    isWholeDay ? undefined : `${from}-${to}`,
    dates === undefined ? undefined : `from ${dates.first} to ${dates.last}`,
    `(${timeZone})`,
    reason === undefined ? undefined : `(${reason})`,
  ];
  return parts.filter((each) => each !== undefined).join(" ");
}

function contains(window: DeployWindow, atMs: number): boolean {
  const { day, date, minute } = localTime(atMs, window.timeZone);
  const [from, to] = [minuteOf(window.from), minuteOf(window.to)];
  if (from < to) return minute >= from && minute < to && beginsOn(window, day, date);
  if (minute >= from) return beginsOn(window, day, date);
  // One that ends on the next day belongs to the day on which it began.
  return minute < to && beginsOn(window, (day + 6) % 7, dayBefore(date));
}

function beginsOn({ days, dates }: DeployWindow, day: number, date: string): boolean {
  const name = weekdays[day];
  const isDay = days === undefined || (name !== undefined && days.includes(name));
  return isDay && (dates === undefined || (date >= dates.first && date <= dates.last));
}

/**
 * The first minute in which nothing is in the way. It is looked for minute by minute: windows of several time zones,
 * summer time among them, have no simpler order.
 */
function nextOpening(windows: readonly DeployWindow[], nowMs: number): number | undefined {
  const first = Math.floor(nowMs / minuteMs) + 1;
  for (let minute = first; minute < first + searchedDays * dayMinutes; minute += 1) {
    if (whyClosed(windows, minute * minuteMs) === undefined) return minute * minuteMs;
  }
  return undefined;
}

interface LocalTime {
  /** 0 is Sunday. */
  readonly day: number;
  /** `YYYY-MM-DD` */
  readonly date: string;
  /** Since midnight, by the clock on the wall. */
  readonly minute: number;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function localTime(atMs: number, timeZone: string): LocalTime {
  // Making a format takes about a hundred times as long as using it.
  const format =
    formats.get(timeZone) ??
    new Intl.DateTimeFormat("en-CA", {
      timeZone,
      hourCycle: "h23",
      ...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" },
    });
  formats.set(timeZone, format);
  const part = Object.fromEntries(format.formatToParts(atMs).map(({ type, value }) => [type, value]));
  const date = `${part["year"] ?? ""}-${part["month"] ?? ""}-${part["day"] ?? ""}`;
  const minute = Number(part["hour"]) * 60 + Number(part["minute"]);
  return { day: new Date(`${date}T00:00:00Z`).getUTCDay(), date, minute };
}

function minuteOf(time: string): number {
  const [hours, minutes] = time.split(":").map(Number);
  return (hours ?? 0) * 60 + (minutes ?? 0);
}

function dayBefore(date: string): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) - dayMinutes * minuteMs).toISOString().slice(0, 10);
}
