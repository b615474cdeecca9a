import * as z from "zod";
import { hostName } from "./link-protocol.ts";

/** What an administrator and the API say to each other about tokens, over HTTP. Answers may get more fields. */

/** A token that is asked for. */
export const tokenRequest = z
  .strictObject({
    kind: z.enum(["agent", "caller"]),
    /** The one host of an agent, or those that a caller may reach. */
    hosts: z.array(hostName).min(1).max(500),
    note: z.string().max(500),
  })
  .refine(({ kind, hosts }) => kind === "caller" || hosts.length === 1, "an agent's token is for one host");
export type TokenRequest = z.infer<typeof tokenRequest>;

/** The token itself is in this one answer and in no other. */
export const tokenMade = z.object({ id: z.string(), token: z.string() });
export type TokenMade = z.infer<typeof tokenMade>;

/** A token without its secret; times are Unix times in ms. */
export const tokenView = z.object({
  id: z.string(),
  kind: z.enum(["agent", "caller"]),
  hosts: z.array(z.string()),
  note: z.string(),
  createdMs: z.number(),
  /** Id of an administrator's token, or `local` for one that was made on the API's own machine. */
  createdBy: z.string().optional(),
  usedMs: z.number().optional(),
  revokedMs: z.number().optional(),
});
export type TokenView = z.infer<typeof tokenView>;

export const tokenList = z.object({ tokens: z.array(tokenView) });
