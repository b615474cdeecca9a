import { setTimeout as delay } from "node:timers/promises";
import { IkomaError } from "../errors.ts";
import { runEngineOnce, type EngineRun, type StackResult } from "./engine-run.ts";
import { runEngine } from "./engine-process.ts";
import { engineFailure } from "./engine-errors.ts";
import type { StackPlace } from "./stack-state.ts";
import { isAbandoned, lockOwner, parseLocks, removeLock, type StackLock } from "./stack-lock.ts";

/** A run of the engine, and how much patience it has. */
export interface StackRun extends EngineRun {
  /** How long to wait for another run to end, of this stack or on the host, in milliseconds; 0 does not wait. */
  waitForLockMs?: number;
  /** Called with what was done about something left behind by a run that was killed, and with what is waited for. */
  onRepair?: (message: string) => void;
  /** Called before another attempt; throws where the run is not to go on, now that somebody else may have changed things. */
  beforeAnother?: (() => Promise<void>) | undefined;
  /** For a refresh: forget what a killed run had begun to create. */
  clearPendingCreates?: boolean;
}

const lockPollMs = 1000;

/**
 * Runs the engine over a stack: makes the stack when there is none yet, waits for another run's lock or removes
 * that of a dead one, and puts right what a killed run left in the state. A deploy from elsewhere, which only the
 * host knows of, is waited for in the same way: by running again, for by then the app is another.
 *
 * @throws IkomaError with the code of what really went wrong: the program's, the host's, or the engine's.
 */
export async function runStack(run: StackRun): Promise<StackResult> {
  const patience: Patience = { untilMs: Date.now() + (run.waitForLockMs ?? 0), isTold: false };
  let isRepairing = false;
  for (;;) {
    try {
      if (isRepairing) await clearPendingCreates(run);
      isRepairing = false;
      return await runEngineOnce(run, run.clearPendingCreates === true ? ["--clear-pending-creates"] : []);
    } catch (error) {
      if (!(error instanceof IkomaError) || run.signal?.aborted === true) throw error;
      isRepairing = (await settle(run, error, patience)) || isRepairing;
      await run.beforeAnother?.();
    }
  }
}

interface Patience {
  readonly untilMs: number;
  /** Whether it was said what is waited for. */
  isTold: boolean;
}

/** Does what makes another attempt worth while, or throws the failure. Answers whether that has to repair something first. */
async function settle(run: StackRun, error: IkomaError, patience: Patience): Promise<boolean> {
  if (error.code === "STACK_LOCKED") return settleLocks(run, error, patience);
  if (error.code === "STACK_NOT_FOUND" && mayCreate(run)) await createStack(run);
  else if (isOvertaken(error) && hasPatience(patience)) {
    if (!patience.isTold) run.onRepair?.(`Waiting: ${error.message}`);
    patience.isTold = true;
    await pause(run);
  } else throw error;
  return false;
}

/** Another deploy of the app is under way on the host, or came in between: the plan is to be made anew. */
function isOvertaken({ code }: IkomaError): boolean {
  return code === "DEPLOY_IN_PROGRESS" || code === "STALE_GENERATION";
}

function hasPatience({ untilMs }: Patience): boolean {
  return Date.now() + lockPollMs <= untilMs;
}

async function pause({ signal }: StackRun): Promise<void> {
  await delay(lockPollMs, undefined, signal === undefined ? {} : { signal });
}

function mayCreate({ operation }: StackRun): boolean {
  return operation === "up" || operation === "preview";
}

async function createStack(run: StackRun): Promise<void> {
  const { workDir, stackName, signal } = run;
  const exit = await runEngine({
    args: ["stack", "init", stackName, "--non-interactive"],
    workDir,
    env: run.env,
    signal,
  });
  if (exit.code !== 0) throw engineFailure([exit.stderr]);
}

/** Removes locks whose owners are dead (and answers true), else waits a little, else gives up. */
async function settleLocks(run: StackRun, error: IkomaError, patience: Patience): Promise<boolean> {
  const locks = parseLocks(error.message);
  const abandoned = locks.filter(isAbandoned);
  if (locks.length > 0 && abandoned.length === locks.length) {
    await removeAbandoned(run, abandoned);
    return true;
  }
  if (!hasPatience(patience)) throw lockedError(run, locks, error);
  await pause(run);
  return false;
}

async function removeAbandoned(run: StackRun, locks: readonly StackLock[]): Promise<void> {
  await removeLocks(run, locks);
  for (const lock of locks)
    run.onRepair?.(`Removed the lock that ${lockOwner(lock)} left: that process no longer lives.`);
}

/** Removes these locks: all that the stack has. */
export async function removeLocks(place: StackPlace, locks: readonly StackLock[]): Promise<void> {
  for (const lock of locks) if (!(await removeLock(lock))) await cancelAll(place);
}

/** For stores where a single lock cannot be reached; every lock of the stack is to go. */
async function cancelAll({ workDir, stackName, env }: StackPlace): Promise<void> {
  const exit = await runEngine({ args: ["cancel", "--yes", "--stack", stackName], workDir, env });
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
