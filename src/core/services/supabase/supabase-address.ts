import * as z from "zod";
import { isLoopback } from "../../link/loopback.ts";

/** Address of a project or of the Management API. Keys are sent there, so plain HTTP is for this machine alone. */
export const supabaseAddress = z
  .url({ protocol: /^https?$/, error: "an https:// address" })
  .refine((url) => url.startsWith("https:") || isLoopback(new URL(url).hostname), "plain HTTP only on this machine")
  .refine((url) => !/[@?#]/.test(url), "an address without user, query or fragment");

/** Letters that the platform knows a project by. */
export const projectRef = z.string().regex(/^[a-z]{20}$/, "the project's ref: 20 lower-case letters");

/** The project that an address of the platform is of; undefined for an address of one's own. */
export function refOfAddress(url: string): string | undefined {
  return /^([a-z]{20})\.supabase\.(co|in)$/.exec(new URL(url).hostname)?.[1];
}
