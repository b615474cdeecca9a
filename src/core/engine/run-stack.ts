import { setTimeout as delay } from "node:timers/promises";
import { IkomaError } from "../errors.ts";
import { runEngineOnce, type EngineRun, type StackResult } from "./engine-run.ts";
import { runEngine } from "./engine-process.ts";
import { engineFailure } from "./engine-errors.ts";
import { isAbandoned, lockOwner, parseLocks, removeLock, type StackLock } from "./stack-lock.ts";

/** A run of the engine, and how much patience it has. */
export interface StackRun extends EngineRun {
  /** How long to wait for another run to end, in milliseconds; 0 does not wait. */
  waitForLockMs?: number;
  /** Called with what was done about something left behind by a run that was killed. */
  onRepair?: (message: string) => void;
  /** For a refresh: forget what a killed run had begun to create. */
  clearPendingCreates?: boolean;
}

const lockPollMs = 1000;

/**
 * Runs the engine over a stack: makes the stack when there is none yet, waits for another run's lock or removes
 * that of a dead one, and puts right what a killed run left in the state.
 *
 * @throws IkomaError with the code of what really went wrong: the program's, the host's, or the engine's.
 */
export async function runStack(run: StackRun): Promise<StackResult> {
  const giveUpAtMs = Date.now() + (run.waitForLockMs ?? 0);
  let isRepairing = false;
  for (;;) {
    try {
      if (isRepairing) await clearPendingCreates(run);
      isRepairing = false;
      return await runEngineOnce(run, run.clearPendingCreates === true ? ["--clear-pending-creates"] : []);
    } catch (error) {
      if (!(error instanceof IkomaError) || run.signal?.aborted === true) throw error;
      if (error.code === "STACK_NOT_FOUND" && mayCreate(run)) await createStack(run);
      else if (error.code === "STACK_LOCKED") isRepairing = (await settleLocks(run, error, giveUpAtMs)) || isRepairing;
      else throw error;
    }
  }
}

function mayCreate({ operation }: StackRun): boolean {
  return operation === "up" || operation === "preview";
}

async function createStack(run: StackRun): Promise<void> {
  const { workDir, stackName, signal } = run;
  const exit = await runEngine({
    args: ["stack", "init", stackName, "--non-interactive"],
    workDir,
    env: { ...process.env, ...run.env },
    signal,
  });
  if (exit.code !== 0) throw engineFailure([exit.stderr]);
}

/** Removes locks whose owners are dead (and answers true), else waits a little, else gives up. */
async function settleLocks(run: StackRun, error: IkomaError, giveUpAtMs: number): Promise<boolean> {
  const locks = parseLocks(error.message);
  const abandoned = locks.filter(isAbandoned);
  if (locks.length > 0 && abandoned.length === locks.length) {
    await removeAbandoned(run, abandoned);
    return true;
  }
  if (Date.now() + lockPollMs > giveUpAtMs) throw lockedError(run, locks, error);
  await delay(lockPollMs, undefined, run.signal === undefined ? {} : { signal: run.signal });
  return false;
}

async function removeAbandoned(run: StackRun, locks: readonly StackLock[]): Promise<void> {
  for (const lock of locks) {
    const removed = await removeLock(lock);
    if (!removed) await cancelAll(run);
    run.onRepair?.(`Removed the lock that ${lockOwner(lock)} left: that process no longer lives.`);
  }
}

/** For stores where a single lock cannot be reached; every lock of the stack was found to be abandoned. */
async function cancelAll({ workDir, stackName, env }: StackRun): Promise<void> {
  const exit = await runEngine({
    args: ["cancel", "--yes", "--stack", stackName],
    workDir,
    env: { ...process.env, ...env },
  });
  if (exit.code !== 0) throw engineFailure([exit.stderr]);
}

/**
 * A run that was killed leaves "pending creates" in the state; `up` carries them along with a warning for ever.
 * Here they can be forgotten: creating again finds what the host has finished meanwhile, by key and generation.
 */
async function clearPendingCreates(run: StackRun): Promise<void> {
  await runEngineOnce({ ...run, operation: "refresh", message: "repair after an interrupted run" }, [
    "--clear-pending-creates",
  ]);
}

function lockedError(run: StackRun, locks: readonly StackLock[], cause: IkomaError): IkomaError {
  const owners = locks.map(lockOwner);
  const by = owners.length === 0 ? "another run" : owners.join(", ");
  return new IkomaError("STACK_LOCKED", `The stack ${run.stackName} is locked by ${by}.`, {
    cause,
    details: { locks },
  });
}
