import * as z from "zod";

/** Letters that the platform knows a project by. */
export const projectRef = z.string().regex(/^[a-z]{20}$/, "the project's ref: 20 lower-case letters");

/** The project that an address of the platform is of; undefined for an address of one's own. */
export function refOfAddress(url: string): string | undefined {
  return /^([a-z]{20})\.supabase\.(co|in)$/.exec(new URL(url).hostname)?.[1];
}
