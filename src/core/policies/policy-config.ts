import * as z from "zod";
import { timeZone, weekdays } from "../config/time-zone.ts";

// The descriptions are the reference: docs/reference/configuration.md and the JSON Schema for editors are made from them.

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, "a time such as 09:30");
const date = z.iso.date("a date such as 2026-12-24");

/** How people are named in settings. */
export const personName = z.string().regex(/^[\w.@-]+$/, "letters, digits, and . _ @ - only");
/** A person's public SSH key. */
export const sshPublicKey = z
  .string()
  .regex(/^(ssh-ed25519|ecdsa-sha2-nistp\d+|sk-[\w.@-]+|ssh-rsa) [A-Za-z0-9+/=]+$/, "`type base64`, as in a .pub file");

/** When changes may be made, or may not. After Argo CD's sync windows. */
export const deployWindow = z
  .strictObject({
    kind: z
      .enum(["allow", "deny"])
      .default("allow")
      .describe("`allow`: changes only inside of it, or of another such window. `deny`: no change inside of it; wins."),
    days: z.array(z.enum(weekdays)).min(1).optional().describe("Days of the week; without it every day."),
    from: timeOfDay.default("00:00").describe("When it begins, in local time."),
    to: timeOfDay
      .default("24:00")
      .describe("When it ends, in local time; earlier than `from` for one that ends on the next day."),
    timeZone: timeZone.default("UTC").describe("Time zone of the times and dates, as IANA names it."),
    dates: z
      .strictObject({ first: date.describe("First day, `YYYY-MM-DD`."), last: date.describe("Last day, inclusive.") })
      .refine(({ first, last }) => first <= last, "`last` is before `first`")
      .optional()
      .describe("Days of the calendar on which it begins; without it there is no end to it."),
    apps: z.array(z.string()).min(1).optional().describe("The apps that it is about; without it all of the stack."),
    reason: z.string().optional().describe("Told to whoever is refused."),
  })
  .refine(({ from, to }) => from !== to, "it begins and ends at the same time");
export type DeployWindow = z.infer<typeof deployWindow>;

/** Who has to agree to a change. */
const approvals = z
  .strictObject({
    required: z.number().int().min(1).max(10).default(1).describe("How many different people have to approve a plan."),
    approvers: z
      .record(personName, sshPublicKey)
      .describe("Who may approve: a name, and the person's public SSH key as `ssh-ed25519 AAAA…`."),
    validHours: z.number().positive().max(720).default(24).describe("How long an approval holds, in hours."),
    rollbacks: z
      .boolean()
      .default(false)
      .describe("Whether a rollback needs them too. Without it going back is always allowed."),
  })
  .refine(({ required, approvers }) => Object.keys(approvers).length >= required, "fewer approvers than are required");

/** `ikoma:policy`: what a change of the stack's apps has to keep to. */
export const policyConfig = z
  .strictObject({
    windows: z
      .array(deployWindow)
      .default([])
      .describe("When changes may be made. Rollbacks may always; `--outside-window REASON` is for an emergency."),
    approvals: approvals.optional().describe("Who has to approve a plan before it is applied."),
  })
  .describe("What a change of the stack's apps has to keep to, with the CLI and with plain `pulumi up` alike.");
export type Policy = z.infer<typeof policyConfig>;
export type ApprovalPolicy = z.infer<typeof approvals>;

/** A policy that cannot be read is no leave to do anything: it closes, until it is corrected. */
export function keptPolicy(given: unknown): Policy | undefined {
  if (given === undefined) return undefined;
  const read = policyConfig.safeParse(given);
  if (read.success) return read.data;
  return policyConfig.parse({ windows: [{ kind: "deny", reason: "ikoma:policy is not valid" }] });
}
