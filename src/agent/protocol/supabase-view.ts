import * as z from "zod";
import { appName } from "../../core/release/release-spec.ts";

/** What a self-hosted Supabase is asked. */
export const supabaseQuestion = z.strictObject({
  app: appName,
  /** Part (`auth`) → name of its service; with the gateway, which all the others are asked through. */
  parts: z.record(z.string(), z.string()),
  /** What every request through the gateway carries. */
  anonKey: z.string(),
  /** SHA-256 of secrets of the settings by name, for those that running containers have to have. */
  secrets: z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)),
});
export type SupabaseQuestion = z.infer<typeof supabaseQuestion>;

/** How its parts are. */
export const supabaseView = z.strictObject({
  parts: z.record(
    z.string(),
    z.strictObject({
      service: z.string(),
      /** State of its container (running, exited…), or `missing`. */
      state: z.string(),
      /** Why it does not work, for people; none where it does. */
      problem: z.string().optional(),
    }),
  ),
});
export type SupabaseView = z.infer<typeof supabaseView>;
