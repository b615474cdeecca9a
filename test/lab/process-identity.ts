import { readFileSync } from "node:fs";
import process from "node:process";
import * as z from "zod";
import { waitUntil } from "./wait-until.ts";

/** A process for certain: pids are used again, a pid with its start time is not. */
export const processIdentitySchema = z.strictObject({
  pid: z.int().positive(),
  /** Field 22 of /proc/PID/stat: clock ticks since boot. */
  startTicks: z.string(),
  /** Ticks start again with the kernel. */
  bootId: z.string(),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

const bootId = (): string => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

/** The identity of a living process; `undefined` when there is none, or only its zombie. */
export const identify = (pid: number): ProcessIdentity | undefined => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command name may hold spaces and parentheses: read after its last one.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const startTicks = fields[19];
    if (fields[0] === "Z" || startTicks === undefined) return undefined;
    return { pid, startTicks, bootId: bootId() };
  } catch {
    return undefined; // gone
  }
};

/** The process that runs this code. */
export const identifySelf = (): ProcessIdentity => {
  const self = identify(process.pid);
  if (self === undefined) throw new Error("the lab needs Linux's /proc");
  return self;
};

export const isAlive = (identity: ProcessIdentity): boolean => {
  const now = identify(identity.pid);
  return now?.startTicks === identity.startTicks && now.bootId === identity.bootId;
};

/** Sends the signal if it still is that process, and waits for its end. */
export const endProcess = async (identity: ProcessIdentity, signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
  if (!isAlive(identity)) return;
  process.kill(identity.pid, signal);
  await waitUntil(`process ${identity.pid} ended`, () => !isAlive(identity), { intervalMs: 5 });
};
