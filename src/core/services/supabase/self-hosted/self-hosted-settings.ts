import * as z from "zod";

/** The Supabase that an app's own compose stack is: what the app's bundle and deployment say of it. */
export const selfHostedSupabase = z.strictObject({
  mode: z.literal("self-hosted"),
  /** Part (`auth`) → name of its service. */
  parts: z.record(z.string(), z.string()),
  /** Changes with what is deployed: the reason to look again. */
  release: z.string(),
});
export type SelfHostedSupabase = z.infer<typeof selfHostedSupabase>;
