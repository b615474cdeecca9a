import { hostname } from "node:os";
import * as z from "zod";
import { IkomaError } from "../errors.ts";
import type { ProgramLoader } from "./language-server.ts";
import { removeLocks, runStack } from "./run-stack.ts";
import { lockOwner, stackLock, type StackLock } from "./stack-lock.ts";
import type { StackPlace } from "./stack-state.ts";
import type { HostAccess } from "../../provider/hosts/agent-access.ts";

/** One repair of what a killed run has left in a stack. */
export interface StackRepair {
  readonly place: StackPlace;
  /** Never run; the engine wants to know it all the same. */
  readonly program: ProgramLoader;
  readonly waitForLockMs: number;
  readonly signal: AbortSignal;
  /**
   * Asked before the lock of a run on another machine is broken, which nothing here can tell to be dead; throws where it
   * is not to be. Undefined never breaks one.
   */
  readonly breakLocks: ((owners: readonly string[]) => Promise<void>) | undefined;
  readonly onRepair: (message: string) => void;
  /** The ways to hosts; by default SSH. */
  readonly access?: HostAccess;
}

const lockedDetails = z.object({ locks: z.array(stackLock) });

/**
 * Removes the locks of dead runs, and forgets what they had begun to create; the next `up` finds on the host what came
 * of it. What ran on the hosts goes on or was undone there, whatever this does.
 *
 * @throws STACK_LOCKED where the owner lives, or cannot be told to be dead and `breakLocks` is undefined
 */
export async function repairStack(repair: StackRepair): Promise<void> {
  try {
    await clear(repair);
  } catch (error) {
    const locks = locksOf(error);
    if (locks.length === 0 || repair.breakLocks === undefined) throw error;
    refuseLiving(locks, error);
    const owners = locks.map(lockOwner);
    await repair.breakLocks(owners);
    await removeLocks(repair.place, locks);
    for (const owner of owners) repair.onRepair(`Removed the lock of ${owner}.`);
    await clear(repair);
  }
}

function locksOf(error: unknown): readonly StackLock[] {
  if (!(error instanceof IkomaError) || error.code !== "STACK_LOCKED") return [];
  return lockedDetails.safeParse(error.details).data?.locks ?? [];
}

/** A run of this machine that holds the lock still lives: otherwise its lock would have been removed without a word. */
function refuseLiving(locks: readonly StackLock[], cause: unknown): void {
  const living = locks.filter((lock) => lock.hostname === hostname()).map(lockOwner);
  if (living.length === 0) return;
  throw new IkomaError("STACK_LOCKED", `The run of ${living.join(", ")} lives, on this machine.`, {
    hint: "Wait for it, or end it first (Ctrl-C, or SIGTERM to its process); its lock goes with it.",
    cause,
  });
}

async function clear(repair: StackRepair): Promise<void> {
  await runStack({
    ...repair.place,
    operation: "refresh",
    program: repair.program,
    clearPendingCreates: true,
    message: "ikoma deploy repair",
    waitForLockMs: repair.waitForLockMs,
    signal: repair.signal,
    onRepair: repair.onRepair,
    // A host that is away is no reason to leave the stack as it is.
    onRead: () => undefined,
    ...(repair.access !== undefined && { access: repair.access }),
  });
}
