import * as z from "zod";
import { streamSetSchema } from "./stream-options.ts";
import { allowedVersionSchema, loadReportSchema } from "./stream-report.ts";

/** What the parent says to the load process, over Node's IPC channel. */
export const parentMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("start"), streams: streamSetSchema }),
  z.strictObject({ type: z.literal("mark"), label: z.string().min(1) }),
  z.strictObject({ type: z.literal("stop"), allowed: z.array(allowedVersionSchema).optional() }),
]);

/** What the load process answers: one message for each of the parent's. */
export const childMessageSchema = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("started") }),
  z.strictObject({ type: z.literal("marked"), atMs: z.number() }),
  z.strictObject({ type: z.literal("report"), report: loadReportSchema }),
  z.strictObject({ type: z.literal("error"), message: z.string() }),
]);

/** A message of the parent. */
export type ParentMessage = z.infer<typeof parentMessageSchema>;
/** A message of the load process. */
export type ChildMessage = z.infer<typeof childMessageSchema>;
