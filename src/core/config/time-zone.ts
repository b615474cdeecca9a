import * as z from "zod";

/** Days of the week as settings name them, in JavaScript's order. */
export const weekdays = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

/** A time zone that the running Node knows. */
export const timeZone = z.string().refine(isTimeZone, "an IANA time zone such as Europe/Paris");

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).format() !== "";
  } catch {
    return false;
  }
}
