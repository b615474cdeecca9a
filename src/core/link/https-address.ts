import * as z from "zod";
import { isLoopback } from "./loopback.ts";

/** Address of an API. Tokens and keys are sent there, so plain HTTP is for this machine alone. */
export const httpsAddress = z
  .url({ protocol: /^https?$/, error: "an https:// address" })
  .refine((url) => url.startsWith("https:") || isLoopback(new URL(url).hostname), "plain HTTP only on this machine")
  .refine((url) => !/[@?#]/.test(url), "an address without user, query or fragment");
