import * as z from "zod";

const noSuchProcess = z.looseObject({ code: z.literal("ESRCH") });

/** Whether this machine has a process of this number, whoever's it is. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    return !noSuchProcess.safeParse(error).success;
  }
}
