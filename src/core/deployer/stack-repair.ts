import { hostname } from "node:os";
import * as z from "zod";
import { removeLocks, runStack } from "../engine/run-stack.ts";
import type { ProgramLoader } from "../engine/language-server.ts";
import { lockOwner, stackLock, type StackLock } from "../engine/stack-lock.ts";
import { IkomaError } from "../errors.ts";
import type { HostAccess } from "../../provider/hosts/agent-access.ts";
import type { DeployProject } from "../project/deploy-project.ts";

/** One repair of what a killed run has left in a stack. */
export interface StackRepair {
  readonly project: Pick<DeployProject, "folder" | "stackName">;
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
  /** Added to this process's environment for the engine. */
  readonly env?: Readonly<Record<string, string>>;
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
    await removeLocks(stackPlace(repair), locks);
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
    ...stackPlace(repair),
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

function stackPlace({ project, env }: StackRepair) {
  return { workDir: project.folder, stackName: project.stackName, ...(env !== undefined && { env }) };
}
